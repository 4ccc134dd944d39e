import type { Hardware, HardwareSeen } from "./hardware";

/** Knows whether there is a board to look after, and goes on looking while it does not answer. */
export class HardwareWatch {
  #hasBoard = false;
  #isWithout = false;

  /**
   * @param nodes the driver's device files.
   * @param read looks at the boards.
   */
  constructor(
    readonly nodes: () => Promise<readonly string[]>,
    readonly read: (signal: AbortSignal) => Promise<Hardware>,
  ) {}

  /** Look once. A computer without a board is asked only whether a driver has come. */
  async look(signal: AbortSignal): Promise<HardwareSeen> {
    const hasNode = (await this.nodes()).length > 0;
    if (this.#isWithout && !hasNode) return { kind: "none" };
    let hardware: Hardware;
    try {
      hardware = await this.read(signal);
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
    return { kind: "unreadable", why: "The board is gone. After a reset it comes back here." };
  }

  /** Ask in full at the next look, also where there was nothing. */
  forget(): void {
    this.#isWithout = false;
  }
}
