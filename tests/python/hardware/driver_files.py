"""A tree of files like the one that Tenstorrent's driver makes, and a program like tt-smi."""

import json
from pathlib import Path

from ttdirect.hardware.sysfs import Roots

SNAPSHOTS = Path(__file__).with_name("snapshots")


def snapshot(name):
    """The snapshot of a board: n150, n300, p150, p300 or wedged."""
    return json.loads((SNAPSHOTS / f"{name}.json").read_text())


def fake_driver(folder, cards=("n300",), *, version="2.7.0", hanging=(), holders=()):
    """Write the files of a loaded driver; chips whose number is in `hanging` tell nothing."""
    roots = Roots(sys=folder / "sys", dev=folder / "dev", proc=folder / "proc")
    write(roots.sys / "module/tenstorrent/version", version)
    for number, card in enumerate(cards):
        pci = roots.sys / f"devices/pci0000:00/0000:0{number + 1}:00.0"
        attributes = pci / f"tenstorrent/tenstorrent!{number}"
        attributes.mkdir(parents=True)
        write(pci / "vendor", "0x1e52")
        link(roots.sys / f"bus/pci/devices/{pci.name}", pci)
        link(roots.sys / f"class/tenstorrent/tenstorrent!{number}", attributes)
        link(attributes / "device", pci)
        write(roots.dev / f"tenstorrent/{number}", "")
        write(roots.proc / f"driver/tenstorrent/{number}/pids", "\n".join(map(str, holders)))
        if number in hanging:
            continue
        for name, value in {
            "tt_card_type": card,
            "tt_serial": f"01000145117030{number:02}",
            "tt_aiclk": "1000",
            "tt_arcclk": "540",
            "tt_axiclk": "900",
            "tt_fw_bundle_ver": "18.7.0.0",
        }.items():
            write(attributes / name, value)
        for name, value in {
            "name": "wormhole",
            "temp1_input": "45250",
            "temp1_max": "75000",
            "power1_input": "22000000",
            "curr1_input": "29000",
            "in0_input": "750",
        }.items():
            write(pci / "hwmon/hwmon3" / name, value)
    write(roots.sys / "kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "4")
    write(roots.sys / "kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "3")
    for pid in holders:
        write(roots.proc / f"{pid}/comm", "python")
    return roots


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


def link(place, target):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def fake_tt_smi(folder, script):
    """Write a program `tt-smi` that runs a line of shell, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "tt-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return folder
