import * as vscode from "vscode";
import { languageModelTools } from "../ids";
import type { WatchedServer } from "../server/waiting";
import { ChatTool } from "./chatTool";
import { HealthTool } from "./healthTool";

/**
 * Offer the server to the agents in the editor.
 *
 * @param attended resolves when a server that ran before this window has been noticed.
 */
export function registerTools(server: WatchedServer, attended: Promise<void>): vscode.Disposable {
  return vscode.Disposable.from(
    vscode.lm.registerTool(languageModelTools.health, new HealthTool(server, attended)),
    vscode.lm.registerTool(languageModelTools.chat, new ChatTool(server, attended)),
  );
}
