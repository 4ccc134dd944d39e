"""One look at the hardware: with tt-smi where that is wise, else in the driver's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttdirect.hardware import sysfs, tt_smi
from ttdirect.hardware.readings import Hardware, group

if TYPE_CHECKING:
    from ttdirect.hardware.sysfs import Roots


def read_hardware(roots: Roots | None = None, *, ask_tt_smi: bool = False) -> Hardware:
    """Return what is in this computer.

    Args:
        roots: where the kernel's file systems are, by default those of this computer.
        ask_tt_smi: whether to run tt-smi if it is installed. It takes seconds, knows more (both
            chips of an N300, limits, the state of the memory) and opens the chips. So it is not
            asked while another process has them; the driver's files are always safe to read.
    """
    roots = roots or sysfs.THIS_COMPUTER
    chips = sysfs.read_chips(roots)
    driver = sysfs.driver_version(roots)
    holders = tuple(sysfs.holders(roots))
    pci_cards = sysfs.count_pci_cards(roots)
    problem = ""
    program = tt_smi.find_tt_smi() if chips and ask_tt_smi and not holders else None
    if program:
        try:
            snapshot = tt_smi.take_snapshot(program)
        except tt_smi.TtSmiError as error:
            problem = str(error)
        else:
            if listed := tt_smi.chips_of(snapshot):
                boards = group(listed, through_pcie=False)
                driver = driver or tt_smi.driver_of(snapshot)
                return Hardware("tt-smi", driver, boards, holders, pci_cards)
            problem = "tt-smi lists no chip"
    boards = group(chips, through_pcie=True)
    source = "sysfs" if chips else "none"
    return Hardware(source, driver, boards, holders, pci_cards, problem)
