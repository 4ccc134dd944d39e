import { describe, expect, it } from "vitest";
import * as vscode from "vscode";
import {
  textOf,
  toCallPart,
  toMessages,
  toTools,
} from "../../extension/src/languageModel/messages";

type RequestMessage = vscode.LanguageModelChatRequestMessage;
type Role = vscode.LanguageModelChatMessageRole;

const { User, Assistant } = vscode.LanguageModelChatMessageRole;
/** The types do not name it, but extensions with proposed API send it. */
const system = 3 as unknown as Role;

const message = (role: Role, ...content: readonly unknown[]): RequestMessage => ({
  role,
  content: content.map((part) =>
    typeof part === "string" ? new vscode.LanguageModelTextPart(part) : part,
  ),
  name: undefined,
});
const user = (...content: readonly unknown[]): RequestMessage => message(User, ...content);
const assistant = (...content: readonly unknown[]): RequestMessage =>
  message(Assistant, ...content);

describe("the editor's messages", () => {
  it("keep their roles and text", () => {
    expect(
      toMessages([message(system, "Be brief."), user("Hi ", "there"), assistant("Hello")]),
    ).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi there" },
      { role: "assistant", content: "Hello" },
    ]);
  });

  it("of one role in a row become one, since many chat templates want turns", () => {
    expect(toMessages([user("The file."), user("The question?")])).toEqual([
      { role: "user", content: "The file.\n\nThe question?" },
    ]);
  });

  it("carry calls and their results, each result a message of its own", () => {
    const messages = toMessages([
      user("How is it?"),
      assistant("I look.", new vscode.LanguageModelToolCallPart("a", "look", { at: 1 })),
      user(
        new vscode.LanguageModelToolResultPart("a", [new vscode.LanguageModelTextPart("fine")]),
        new vscode.LanguageModelToolResultPart("b", [new vscode.LanguageModelTextPart("good")]),
        "Go on.",
      ),
    ]);
    expect(messages.slice(1)).toEqual([
      {
        role: "assistant",
        content: "I look.",
        tool_calls: [
          { id: "a", type: "function", function: { name: "look", arguments: '{"at":1}' } },
        ],
      },
      { role: "tool", tool_call_id: "a", content: "fine" },
      { role: "tool", tool_call_id: "b", content: "good" },
      { role: "user", content: "Go on." },
    ]);
  });

  it("with nothing but results add no empty message of the user", () => {
    const result = new vscode.LanguageModelToolResultPart("a", [
      new vscode.LanguageModelTextPart("fine"),
    ]);
    expect(toMessages([user(result)]).map(({ role }) => role)).toEqual(["tool"]);
  });

  it("lose what is no text", () => {
    const picture = { mimeType: "image/png", data: new Uint8Array() };
    expect(toMessages([user(picture, "What is this?")])).toEqual([
      { role: "user", content: "What is this?" },
    ]);
  });

  it("are counted with all that they say", () => {
    const call = new vscode.LanguageModelToolCallPart("a", "look", { at: 1 });
    expect(textOf(assistant("I look.", call))).toContain('"look"');
    expect(textOf(user("Hi"))).toBe("Hi");
  });
});

describe("tools", () => {
  it("are offered in OpenAI's shape", () => {
    const inputSchema = { type: "object" };
    expect(
      toTools([
        { name: "look", description: "Look.", inputSchema },
        { name: "wait", description: "Wait." },
      ]),
    ).toEqual([
      {
        type: "function",
        function: { name: "look", description: "Look.", parameters: inputSchema },
      },
      { type: "function", function: { name: "wait", description: "Wait." } },
    ]);
  });

  it("are called by the model with an object, never with anything else", () => {
    const call = (text: string) =>
      ({ id: "a", type: "function", function: { name: "look", arguments: text } }) as const;
    expect(toCallPart(call('{"at":1}'))).toEqual(
      new vscode.LanguageModelToolCallPart("a", "look", { at: 1 }),
    );
    expect(toCallPart(call("")).input).toEqual({});
    expect(() => toCallPart(call("3"))).toThrow("look");
  });
});
