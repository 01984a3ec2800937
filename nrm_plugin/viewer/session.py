"""What the page is told first: what there is to see, and what is doubtful."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from nrm_plugin import __version__
from nrm_plugin.decisions import decisions_path
from nrm_plugin.markers import markers_of
from nrm_plugin.variables import BIT, FLAG_WORDS
from nrm_plugin.viewer.layers import MapLayer
from nrm_plugin.viewer.recipe_fields import recipe_fields
from nrm_plugin.viewer.viewed import Viewed

#: Distance that is shown first, m: all but the thinnest interphases are felt there.
FIRST_DEPTH = 5e-9


def session(view: Viewed, layers: list[MapLayer]) -> dict[str, Any]:
    """Return what the page needs before anything is drawn, in types that JSON has."""
    attributes: Any = {} if view.results is None else view.results.attrs
    metadata: Any = {} if view.curves is None else view.curves.metadata
    title = str(attributes.get("title") or metadata.get("title") or "")
    warnings = str(attributes.get("warnings", "")).splitlines()
    if view.curves is not None:
        warnings += [text for text in view.curves.warnings if text not in warnings]
    images = () if view.curves is None else view.curves.images
    return {
        "title": title or (view.files[0]["name"] if view.files else ""),
        "version": __version__,
        "files": view.files,
        "simulated": bool(attributes.get("simulated") or metadata.get("simulated")),
        "live": False,
        "has": {
            "curves": view.curves is not None and view.curves.n_curves > 0,
            "results": view.results is not None,
            "lateral": _has_lateral(view),
            "images": bool(images),
        },
        "n_curves": view.n_curves,
        "directions": list(view.directions),
        "depth": {"values": view.depth},
        "first_depth": float(view.depth[view.nearest_depth(FIRST_DEPTH)]),
        "tip_radius": view.told.number("tip_radius", "m"),
        "dither_amplitude": view.told.number("dither_amplitude", "m"),
        "quantities": _quantities(view),
        "flags": _flags(view),
        "checks": _checks(view),
        "warnings": [*view.messages, *warnings],
        "regions": _regions(view),
        "layers": [_layer(layer) for layer in layers],
        "images": [
            {
                "name": i.name,
                "unit": i.unit,
                "shape": i.shape,
                "size": i.size,
                "direction": i.direction,
            }
            for i in images
        ],
        "recipe": view.recipe.to_toml(comments=False),
        "recipe_fields": recipe_fields(view.recipe),
        "decisions_file": "" if view.out is None else decisions_path(view.out).name,
        "blind": False,
        "markers": [asdict(marker) for marker in markers_of(metadata)],
        "potential": "potential" in view.quantities,
        "condition": _condition(view, metadata),
    }


def _has_lateral(view: Viewed) -> bool:
    if view.results is not None:
        return "storage_modulus" in view.quantities
    return view.curves is not None and view.curves.lateral_pair is not None


def _quantities(view: Viewed) -> list[dict[str, Any]]:
    found = []
    for quantity in view.quantities.values():
        factor, unit = quantity.shown
        classes = list(quantity.classes)
        if quantity.name == "region":
            classes = [region.label for region in view.regions]
        found.append(
            {
                "name": quantity.name,
                "label": quantity.label,
                "unit": unit,
                "factor": factor,
                "of_depth": quantity.of_depth,
                "kind": quantity.kind,
                "log": quantity.log,
                "moduli": quantity.moduli,
                **({"classes": classes} if classes else {}),
            }
        )
    return found


def _flags(view: Viewed) -> list[dict[str, Any]]:
    bits = view.quality()
    return [
        {
            "name": name,
            "bit": bit,
            "count": int(np.count_nonzero(bits & bit)),
            "meaning": FLAG_WORDS[name][0],
            "advice": FLAG_WORDS[name][1],
        }
        for name, bit in BIT.items()
    ]


def _checks(view: Viewed) -> list[dict[str, Any]]:
    return [
        {
            "name": check.name,
            "title": check.title,
            "verdict": check.verdict,
            "text": check.text,
            "told": check.told_in_words,
            "found": check.found_in_words,
            "effect": check.effect_in_words,
            "advice": check.advice,
        }
        for check in view.checks
    ]


def _regions(view: Viewed) -> list[dict[str, Any]]:
    return [{"label": r.label, "count": len(r), "potential": [r.low, r.high]} for r in view.regions]


def _layer(layer: MapLayer) -> dict[str, Any]:
    rows, columns = layer.shape or (None, None)
    return {
        "name": layer.name,
        "n": len(layer.curves),
        "rows": rows,
        "columns": columns,
        "size": layer.size,
        "kind": layer.kind,
        "region": layer.region,
        "visit": layer.visit,
        "mixed": layer.mixed,
    }


def _condition(view: Viewed, metadata: Any) -> str:
    """Electrode, electrolyte and range of the potential, in words."""
    words = [view.told.text("electrode"), view.told.text("electrolyte")]
    potential = view.column("potential")
    if potential is not None:
        known = np.asarray(potential, np.float64)
        known = known[np.isfinite(known)]
        if len(known):
            low, high = float(known.min()), float(known.max())
            same = math.isclose(low, high, abs_tol=5e-4)
            words.append(f"{high:.3g} V" if same else f"{high:.3g} to {low:.3g} V")
    return ", ".join(word for word in words if word)
