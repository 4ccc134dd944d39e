import * as vscode from "vscode";
import { type Achievement, achievements, contextKeys, walkthroughId } from "../ids";

/** The step of the walkthrough that each achievement ticks. */
const stepOf: Readonly<Record<Achievement, string>> = {
  machineChecked: "machine",
  installed: "install",
  scriptCreated: "create",
  serverStarted: "start",
  firstAnswer: "ask",
  batchAnswered: "batch",
  servedByGunicorn: "production",
};

/**
 * What the learner has achieved, for good: the walkthrough's ticks derive from it.
 *
 * The editor tells no extension which steps are ticked, so this is the truth. A context key ticks
 * its step; set again at every activation, it does so in new windows as well. The editor counts
 * each key once a window, so after a reset the step is marked by its command, too.
 */
export class Progress {
  constructor(readonly memory: vscode.Memento) {}

  async restore(): Promise<void> {
    await Promise.all(achievements.filter((a) => this.#has(a)).map((a) => setContext(a, true)));
  }

  /** Tick the step of what was achieved for the first time, and unfold the next one. */
  async achieve(achievement: Achievement): Promise<void> {
    if (this.#has(achievement)) return;
    await this.memory.update(contextKeys[achievement], true);
    await setContext(achievement, true);
    await tell("welcome.markStepComplete", achievement);
    const following = achievements[achievements.indexOf(achievement) + 1];
    if (following) await tell("walkthroughs.selectStep", following);
  }

  async reset(): Promise<void> {
    for (const achievement of achievements) {
      await this.memory.update(contextKeys[achievement], undefined);
      await setContext(achievement, false);
      await tell("welcome.markStepIncomplete", achievement);
    }
  }

  #has(achievement: Achievement): boolean {
    return this.memory.get(contextKeys[achievement], false);
  }
}

function setContext(achievement: Achievement, value: boolean): Thenable<void> {
  return vscode.commands.executeCommand("setContext", contextKeys[achievement], value);
}

/**
 * Run a command of the editor's own for a step.
 *
 * Marking fails until a page with walkthroughs has been opened in this window, and selecting does
 * nothing unless the walkthrough is the active page. The context key ticks the step all the same.
 */
async function tell(command: string, achievement: Achievement): Promise<void> {
  const step = `${walkthroughId}#${stepOf[achievement]}`;
  await vscode.commands.executeCommand(command, step).then(undefined, () => undefined);
}
