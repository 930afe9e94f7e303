"""Personas: their file, its faults, and the system text."""

from pathlib import Path

import pytest

from chat.persona import Persona, system_text
from chat.personas import MAX_FACTS, BadPersonas, read_personas
from warm.chat_model_factory import configured_personas
from warm.settings import BadSettings, Settings


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "persona.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_personas_can_be_read_and_have_a_greeting() -> None:
    personas = configured_personas(Settings())
    assert personas.default.id == "ada"
    assert all(each.greeting and each.style for each in personas.by_id.values())


def test_a_file_with_every_member_is_read(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "mia:\n  name: Mia\n  style: Calm.\n  language: de-AT\n  greeting: Servus!\n"
        "  facts: [Opens at 9, 'Costs 3 €.']\n  voice: heart\n",
    )
    assert read_personas(path).default == Persona(
        id="mia",
        name="Mia",
        style="Calm.",
        language="de-AT",
        greeting="Servus!",
        facts=("Opens at 9", "Costs 3 €."),
        voice="heart",
    )


def test_the_system_text_has_all_of_the_persona_and_does_not_change() -> None:
    persona = Persona(id="a", name="Mia", style="Calm.", language="de-AT", facts=("Opens at 9",))
    text = system_text(persona)
    assert text == system_text(persona)
    assert "Mia" in text and "Calm." in text and "German" in text and "Opens at 9." in text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "has no personas"),
        ("[]", "has no personas"),
        ("a: [", "not valid YAML"),
        ("a b:\n  name: A", "'a b' is not an id"),
        ("a: 3", "a: is not a mapping"),
        ("a:\n  style: b", "a.name: is missing"),
        ("a:\n  name: 7", "a.name: '7' is not a text"),
        ("a:\n  name: A\n  nmae: B", "a.nmae: is not known"),
        ("a:\n  name: A\n  language: no", "a.language: 'False' is not a language"),
        ("a:\n  name: A\n  facts: b", "a.facts: is not a list, or is too long"),
        ("a:\n  name: A\n  facts: [b, 3]", "a.facts[1]: '3' is not a text"),
        (
            f"a:\n  name: A\n  facts: {['b'] * (MAX_FACTS + 1)}",
            "a.facts: is not a list, or is too long",
        ),
        (f"a:\n  name: A\n  style: {'x' * 1001}", "a.style: has 1001 characters"),
        ('a:\n  name: "A\\u202E"', "a.name: has 2 characters, or some that cannot be printed"),
    ],
)
def test_a_fault_is_reported_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(BadPersonas) as caught:
        read_personas(written(tmp_path, text))
    assert place in str(caught.value)
    assert "persona.yaml" in str(caught.value)


def test_the_settings_choose_the_first_persona(tmp_path: Path) -> None:
    path = written(tmp_path, "a:\n  name: A\nb:\n  name: B\n")
    assert configured_personas(Settings(persona_file=path)).default.id == "a"
    chosen = configured_personas(Settings(persona_file=path, persona="b"))
    assert chosen.default.id == "b" and set(chosen.by_id) == {"a", "b"}


def test_settings_that_name_no_persona_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a:\n  name: A\n")
    with pytest.raises(BadSettings, match=r"persona = 'c'.*allowed: a"):
        configured_personas(Settings(persona_file=path, persona="c"))
    with pytest.raises(BadSettings, match=r"persona_file: .*cannot be read"):
        configured_personas(Settings(persona_file=tmp_path / "none.yaml"))
