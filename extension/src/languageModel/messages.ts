/** The editor's messages and tools in the words of OpenAI's API. */

import * as vscode from "vscode";
import type { Message, Tool, ToolCall } from "../server/openai";

/** A role that only extensions with proposed API can send; the stable types do not name it. */
const systemRole = 3;

/**
 * The messages as the server takes them.
 *
 * The editor puts calls and their results into messages as parts; here each result is a message.
 * Neighbours of one role become one message, because many chat templates want the roles to take
 * turns. What is no text is left out: the model declares that it sees none of it.
 */
export function toMessages(
  messages: readonly vscode.LanguageModelChatRequestMessage[],
): readonly Message[] {
  return joined(messages.flatMap(split));
}

/** All text of a message, with the calls and results in it: what has to be counted. */
export function textOf(message: vscode.LanguageModelChatRequestMessage): string {
  return split(message)
    .map(({ content, tool_calls = [] }) =>
      [content, ...tool_calls.map((call) => JSON.stringify(call.function))].join("\n"),
    )
    .join("\n");
}

export function toTools(tools: readonly vscode.LanguageModelChatTool[]): readonly Tool[] {
  return tools.map(({ name, description, inputSchema }) => ({
    type: "function",
    function: {
      name,
      description,
      ...(inputSchema === undefined ? {} : { parameters: inputSchema }),
    },
  }));
}

/**
 * A call of the model as the editor wants it.
 *
 * @throws SyntaxError when its arguments are no JSON object.
 */
export function toCallPart({ id, function: called }: ToolCall): vscode.LanguageModelToolCallPart {
  const input: unknown = JSON.parse(called.arguments || "{}");
  if (typeof input !== "object" || input === null) {
    throw new SyntaxError(
      vscode.l10n.t("The model called {0} with arguments that are no object.", called.name),
    );
  }
  return new vscode.LanguageModelToolCallPart(id, called.name, input);
}

function split({
  role,
  content,
}: vscode.LanguageModelChatRequestMessage): readonly (Message & { role: Message["role"] })[] {
  const text = content.filter(isText).map(({ value }) => value);
  if (role === vscode.LanguageModelChatMessageRole.Assistant) {
    const calls = content.filter(isCall).map(toCall);
    return [
      {
        role: "assistant",
        content: text.join(""),
        ...(calls.length === 0 ? {} : { tool_calls: calls }),
      },
    ];
  }
  const results = content.filter(isResult).map(toResult);
  if (text.length === 0 && results.length > 0) return results;
  const speaker = (role as number) === systemRole ? "system" : "user";
  return [...results, { role: speaker, content: text.join("") }];
}

function joined(messages: readonly Message[]): readonly Message[] {
  const all: Message[] = [];
  for (const message of messages) {
    const before = all.at(-1);
    if (before && canJoin(before, message)) {
      const content = [before.content, message.content].filter((text) => text !== "").join("\n\n");
      all[all.length - 1] = { ...before, ...message, content };
    } else {
      all.push(message);
    }
  }
  return all;
}

/** Text joins text; after a call comes its result, so a message with calls stays the last. */
function canJoin(before: Message, message: Message): boolean {
  return before.role === message.role && message.role !== "tool" && !before.tool_calls;
}

function toCall({ callId, name, input }: vscode.LanguageModelToolCallPart): ToolCall {
  return { id: callId, type: "function", function: { name, arguments: JSON.stringify(input) } };
}

function toResult({ callId, content }: vscode.LanguageModelToolResultPart): Message {
  const text = content.filter(isText).map(({ value }) => value);
  return { role: "tool", tool_call_id: callId, content: text.join("\n") };
}

function isText(part: unknown): part is vscode.LanguageModelTextPart {
  return part instanceof vscode.LanguageModelTextPart;
}

function isCall(part: unknown): part is vscode.LanguageModelToolCallPart {
  return part instanceof vscode.LanguageModelToolCallPart;
}

/** By its fields: older editors have two classes of results, and name only one of them. */
function isResult(part: unknown): part is vscode.LanguageModelToolResultPart {
  return typeof part === "object" && part !== null && "callId" in part && "content" in part;
}
