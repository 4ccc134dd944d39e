import type * as vscode from "vscode";
import { shippedModel } from "./model";

const key = "recentModels";
const most = 6;

/** The folders and names on the hub that this user has chosen, the last one first. */
export class RecentModels {
  constructor(readonly memory: vscode.Memento) {}

  all(): readonly string[] {
    return this.memory.get<readonly string[]>(key, []);
  }

  async add(model: string): Promise<void> {
    if (model === shippedModel) return;
    const others = this.all().filter((other) => other !== model);
    await this.memory.update(key, [model, ...others].slice(0, most));
  }
}
