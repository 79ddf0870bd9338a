"""Write the model card: `card.json` for programs, `card.md` for people, from the same facts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.labels import GENDERS, GROUPS

__all__ = ["ATTRIBUTION", "INTENDED", "LIMITS", "NOT_INTENDED", "write"]

INTENDED = (
    "Describing pictures in bulk where a person checks what follows from it: searching an archive, "
    "measuring who is shown in a collection and how often, research on such measures."
)
NOT_INTENDED = (
    "Hiring, policing, surveillance, border control, credit, insurance, advertising aimed at a "
    "person, identification, or any decision about a person."
)
LIMITS = (
    "The answers are what a face appears to be to the people who labelled the training pictures, "
    "never what a person is. Gender and ethnicity are social constructs; nobody's own answer can "
    "be seen in a picture.",
    "Two genders and five groups are all that the labels have; everyone else is forced into one "
    "of them. 'Others' is not a group of people: it is what the labels call Latino, Hispanic and "
    "Middle Eastern faces.",
    "Errors are not spread evenly: see the tables for each group, gender and age. Children are "
    "the hardest.",
    "Tight crops of photographs from the web, mostly posed and lit; other cameras, masks, "
    "make-up, profiles and very small faces (under about 40 pixels) are worse than the figures.",
    "Under the confidence that an application needs, let it answer 'unknown'.",
)
ATTRIBUTION = (
    'Trained on FairFace (CC BY 4.0): Karkkainen, K. and Joo, J., "FairFace: Face Attribute '
    'Dataset for Balanced Race, Gender, and Age for Bias Measurement and Mitigation", WACV 2021.',
    "Started from dlib's face recognition network (D. King, public domain, CC0, "
    "dlib_face_recognition_resnet_model_v1.dat), which was trained to tell people apart on some "
    "three million faces of FaceScrub, VGG-Face and the web; who they were, and which groups they "
    "belonged to, is not published. What is shipped recognises nobody: it has no such output.",
    "Faces aligned with YuNet (MIT, opencv_zoo, S. Yu).",
)


def write(facts: dict[str, Any], folder: Path) -> None:
    """Write both forms of the card to `folder`."""
    facts = facts | {
        "intended_use": INTENDED,
        "not_intended": NOT_INTENDED,
        "limits": list(LIMITS),
        "attribution": list(ATTRIBUTION),
    }
    (folder / "card.json").write_text(json.dumps(_rounded(facts), indent=1) + "\n")
    (folder / "card.md").write_text("\n".join(_lines(facts)) + "\n")


def _rounded(value: Any) -> Any:
    """Return the same structure with floats of four significant decimals."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return value


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _table(head: list[str], rows: list[list[Any]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "|".join("---" if index == 0 else "---:" for index in range(len(head))) + "|"
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
    yield ""


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    figures = facts["test"]
    yield "# Apparent gender and ethnicity of a face"
    yield ""
    yield f"`{facts['file']}`, {facts['bytes']:,} bytes, SHA-256 `{facts['sha256']}`."
    yield f"Labels: {', '.join(GENDERS)}; {', '.join(GROUPS)}."
    yield ""
    yield f"**For:** {INTENDED}"
    yield ""
    yield f"**Not for:** {NOT_INTENDED}"
    yield ""
    yield from (f"- {limit}" for limit in LIMITS)
    yield ""
    yield "## How good it is"
    yield ""
    yield (
        f"On {figures['faces']:,} faces that were never trained on, nor used for stopping or "
        "calibration; near-duplicates of training faces were kept out of them. One face in a "
        "hundred has no landmarks; it is cut by its box."
    )
    if looks := facts.get("looks"):
        yield (
            f"They were looked at {looks} times that are on record, for networks before and beside "
            "this one too; what is shipped was chosen on the faces for stopping and calibration."
        )
    yield ""
    yield from _table(
        ["", "accuracy", "balanced", "standard error", "ECE before", "ECE after temperature"],
        [
            [
                name,
                _percent(figures[name]["accuracy"]),
                _percent(figures[name]["balanced_accuracy"]),
                _percent(figures[name]["standard_error"]),
                f"{figures[name]['ece_before']:.3f}",
                f"{figures[name]['ece_after']:.3f}",
            ]
            for name in ("gender", "group")
        ],
    )
    for name in ("gender", "group"):
        yield from _table(
            [name, "precision", "recall", "F1", "support"],
            [
                [
                    label,
                    *(_percent(row[key]) for key in ("precision", "recall", "f1")),
                    row["support"],
                ]
                for label, row in figures[name]["classes"].items()
            ],
        )
    yield "![Confusion matrices](confusion.png)"
    yield ""
    yield from _fairness(figures)
    yield "## Confidence"
    yield ""
    yield "What is left when answers under a confidence are given as 'unknown':"
    yield ""
    for name in ("gender", "group"):
        yield from _table(
            [f"{name}, at least", "answered", "right of these"],
            [
                [f"{row['least']:.2f}", _percent(row["answered"]), _percent(row["accuracy"])]
                for row in figures["abstaining"][name]
            ],
        )
    yield "![Calibration](calibration.png)"
    yield ""
    yield from _serving(facts)
    yield from _training(facts)


def _fairness(figures: dict[str, Any]) -> Iterator[str]:
    yield "## For whom"
    yield ""
    yield "Accuracy of the gender head for each group, and for each gender in it:"
    yield ""
    table = figures["gender_by_group"]
    yield from _table(
        ["group", "all", *GENDERS, "faces"],
        [
            [group, _percent(row["accuracy"])]
            + [_percent(row.get(gender, {}).get("accuracy")) for gender in GENDERS]
            + [row["faces"]]
            for group, row in table["groups"].items()
        ],
    )
    yield f"Between the best and the worst group lie {100 * table['gap']:.1f} points."
    yield ""
    yield from _table(
        ["age", "gender", "group", "faces"],
        [
            [age, _percent(row["gender"]), _percent(row["group"]), row["faces"]]
            for age, row in figures["by_age"].items()
        ],
    )


def _serving(facts: dict[str, Any]) -> Iterator[str]:
    yield "## Serving it"
    yield ""
    size = facts["input"]["shape"][1]
    yield f"- Input `{facts['input']['name']}`: (N, {size}, {size}, 3), uint8, RGB, 0 to 255."
    yield "  Crops come from `visiongate.face_crop.crop_face`, as in training."
    for name, output in facts["outputs"].items():
        yield f"- Output `{name}`: (N, {len(output['labels'])}), float32, probabilities"
        yield f"  of {', '.join(output['labels'])}; calibrated."
    yield "- Scaling, mirror image, temperatures, softmax and the sum of races are in the graph."
    speed = facts["speed"]
    yield (
        f"- One core, OpenVINO: {speed['ms_one_face']:.1f} ms for one face, "
        f"{speed['ms_each_of_8']:.1f} ms each of eight ({speed['machine']})."
    )
    yield ""
    yield "How a face is cut matters; the same test faces, by each way to a crop:"
    yield ""
    yield from _table(
        ["cut by", "gender", "five groups, balanced"],
        [
            [name, _percent(row["gender"]), _percent(row["group_balanced"])]
            for name, row in facts["paths"].items()
        ],
    )


def _training(facts: dict[str, Any]) -> Iterator[str]:
    training = facts["training"]
    yield "## How it was made"
    yield ""
    yield f"    {training['command']}"
    yield ""
    yield f"{training['story']}"
    yield ""
    yield "![Training curves](training.png)"
    yield ""
    yield "The `.keras` form is not shipped: `make train-faces DATA=...` writes it."
    yield ""
    yield "## Whose work it stands on"
    yield ""
    yield from (f"- {line}" for line in ATTRIBUTION)
