import { l10n } from "vscode";
import { type Hardware, type HardwareSeen, isSilent } from "./hardware";

/** tt-smi opens the chips, so it is not asked at every look. */
const ttSmiEvery = 60_000;

/** Knows whether there is a board to look after, and goes on looking while it does not answer. */
export class HardwareWatch {
  #hasBoard = false;
  #isWithout = false;
  /** What was found when tt-smi was asked last, and when that was. */
  #fromTtSmi: { readonly hardware: Hardware; readonly at: number } | undefined;

  /**
   * @param nodes the driver's device files.
   * @param read looks at the boards, also with tt-smi if that is wished.
   * @param now milliseconds on a clock that only goes forward.
   */
  constructor(
    readonly nodes: () => Promise<readonly string[]>,
    readonly read: (signal: AbortSignal, asksTtSmi: boolean) => Promise<Hardware>,
    readonly now: () => number = () => performance.now(),
  ) {}

  /** Look once. A computer without a board is asked only whether a driver has come. */
  async look(signal: AbortSignal): Promise<HardwareSeen> {
    const hasNode = (await this.nodes()).length > 0;
    if (this.#isWithout && !hasNode) return { kind: "none" };
    let hardware: Hardware;
    try {
      hardware = await this.#read(signal);
    } catch (error) {
      if (!hasNode && !this.#hasBoard) {
        // Without a board, a Python that lacks ttdirect is nothing that this view should tell.
        this.#isWithout = !signal.aborted;
        return { kind: "none" };
      }
      return { kind: "unreadable", why: error instanceof Error ? error.message : String(error) };
    }
    if (hardware.boards.length + hardware.pci_cards > 0) {
      this.#hasBoard = true;
      return { kind: "read", hardware };
    }
    this.#isWithout = !this.#hasBoard;
    if (this.#isWithout) return { kind: "none" };
    const why = l10n.t("The board is gone. After a reset it comes back here.");
    return { kind: "unreadable", why };
  }

  /** Ask in full at the next look, also where there was nothing. */
  forget(): void {
    this.#isWithout = false;
    this.#fromTtSmi = undefined;
  }

  /** Where the driver's files tell nothing of any chip, as those of old drivers, tt-smi is asked. */
  async #read(signal: AbortSignal): Promise<Hardware> {
    const hardware = await this.read(signal, false);
    if (!isSilent(hardware)) {
      this.#fromTtSmi = undefined;
      return hardware;
    }
    const { holders } = hardware;
    const last = this.#fromTtSmi;
    const isFresh = last !== undefined && this.now() - last.at < ttSmiEvery;
    // It would disturb a model that runs, or is being loaded.
    if (isFresh || holders.length > 0) return { ...(last?.hardware ?? hardware), holders };
    const asked = await this.read(signal, true).catch((error: unknown) => {
      if (signal.aborted) throw error;
      return hardware;
    });
    this.#fromTtSmi = { hardware: asked, at: this.now() };
    return asked;
  }
}
