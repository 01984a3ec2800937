"""What a NanoScope header says about the measurement, under the vocabulary's names."""

from __future__ import annotations

from nrm_importers.bruker.header import Header, Section, Sensitivity
from nrm_importers.found import Found


def general(header: Header, found: Found) -> None:
    """What files of all kinds have: when, with what, in which mode."""
    equipment, scanner = header.first("Equipment list"), header.first("Scanner list")
    scan = header.first("Ciao scan list")
    found.add("start_time", header.date, "Date")
    found.add("instrument", equipment.text("microscope", "description"), "Microscope")
    found.add("scanner", scanner.text("scanner type"), "Scanner type")
    found.add("software_version", f"{header.version:#010x}", "Version")
    found.add("operating_mode", scan.text("operating mode"), "Operating mode")
    size = scan.length("scan size")
    found.add("scan_size", size[0] if size else None, "Scan Size")
    found.add("scan_angle", scan.number("rotate ang."), "Rotate Ang.")


def of_ramp(header: Header, deflection: Section | None, found: Found) -> None:
    """What files with curves have: cantilever, ramp, trigger."""
    force, scan = header.first("Ciao force list"), header.first("Ciao scan list")
    if deflection is not None:
        constant = deflection.number("spring constant")
        found.add("spring_constant", constant or None, "Spring Constant of the deflection list")
        value = deflection.value("z scale")
        scale = deflection_sensitivity(header, value.scale if value else "")
        given = "; give it with --set deflection_sensitivity=...nm/V"
        found.warn(scale.warning + (given if scale.warning and scale.value is None else ""))
        if scale.unit == "m":
            found.add("deflection_sensitivity", scale.value, scale.name)
    found.add("ramp_rate", force.number("scan rate") or None, "Scan rate")
    if force.integer("hold samples"):
        found.add("hold_time", force.number("hold time") or None, "Hold Time")
    trigger = force.value("trig threshold deflection")
    found.add("trigger_threshold", trigger.soft if trigger else None, "Trig Threshold Deflection")
    found.add("trigger_mode", (force.text("trigger mode") or "").lower(), "Trigger mode")
    angle = found.values.get("scan_angle") or scan.number("rotate ang.")
    if angle:
        found.warn(
            "the scan is turned: x and y are along its axes, turned by scan_angle against the "
            "scanner's"
        )


def deflection_sensitivity(header: Header, scale: str) -> Sensitivity:
    """Sensitivity of the deflection, under the name that its list gives."""
    return header.sensitivity(scale or "Sens. DeflSens")
