/** A request as code that can be pasted and run, whatever its prompt holds. */

import type { ChatRequest } from "../server/api";
import { shellQuoted } from "../shell";
import type { Language } from "./protocol";

/** The environment variable that holds the server's key. */
const keyVariable = "TTDIRECT_API_KEY";

/**
 * The request as a program of one language, for `POST /chat`.
 *
 * @param withKey whether the server asks for a key; the program reads it from the environment.
 */
export function snippet(
  language: Language,
  address: string,
  request: ChatRequest,
  withKey: boolean,
): string {
  const url = `${address}/chat`;
  switch (language) {
    case "curl":
      return curl(url, request, withKey);
    case "python":
      return python(url, request, withKey);
    case "javascript":
      return javascript(url, request, withKey);
  }
}

function curl(url: string, request: ChatRequest, withKey: boolean): string {
  const parts = [
    `curl ${shellQuoted(url)}`,
    "-H 'Content-Type: application/json'",
    ...(withKey ? [`-H "Authorization: Bearer $${keyVariable}"`] : []),
    `-d ${shellQuoted(object(request).replaceAll("\\\\", "\\u005c"))}`,
  ];
  return `${parts.join(" \\\n  ")}\n`;
}

function python(url: string, request: ChatRequest, withKey: boolean): string {
  return [
    ...(withKey ? ["import os", ""] : []),
    "import requests",
    "",
    "answer = requests.post(",
    `    ${quoted(url)},`,
    ...(withKey
      ? [`    headers={"Authorization": f"Bearer {os.environ['${keyVariable}']}"},`]
      : []),
    `    json=${object(request)},`,
    ")",
    "answer.raise_for_status()",
    'print(answer.json()["response"])',
    "",
  ].join("\n");
}

function javascript(url: string, request: ChatRequest, withKey: boolean): string {
  const authorization = withKey
    ? [`    Authorization: \`Bearer \${process.env.${keyVariable}}\`,`]
    : [];
  return [
    `const answer = await fetch(${quoted(url)}, {`,
    '  method: "POST",',
    "  headers: {",
    '    "Content-Type": "application/json",',
    ...authorization,
    "  },",
    `  body: JSON.stringify(${object(request)}),`,
    "});",
    "if (!answer.ok) throw new Error((await answer.json()).error);",
    "console.log((await answer.json()).response);",
    "",
  ].join("\n");
}

/** An object of strings and numbers, the same text in JSON, Python and JavaScript. */
function object(request: ChatRequest): string {
  const members = Object.entries(request)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${quoted(name)}: ${JSON.stringify(value)}`);
  return `{${members.join(", ")}}`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
