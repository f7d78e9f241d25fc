"""Arguments: errors in words, what was perhaps meant, help with defaults and examples."""

from __future__ import annotations

import subprocess
import sys

import pytest

from napari_fashion import cli
from napari_fashion.cli import status


def run(*arguments: str, capsys) -> tuple[int, str]:
    """Run with wrong arguments: status, and what was said."""
    with pytest.raises(SystemExit) as info:
        cli.main(list(arguments))
    out, err = capsys.readouterr()
    assert out == ""
    return info.value.code, err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predit"], "did you mean predict?"),
        (["nothing-like-it"], "expected one of open, predict"),
        ([], "COMMAND"),
        (["predict"], "required: input"),
        (["predict", "x", "--ovewrite"], "no option '--ovewrite' (did you mean --overwrite?)"),
        (["predict", "x", "--over"], "no option '--over'"),
        (["stats", "a.json", "b.json"], "'b.json' is one argument too many"),
        (["evaluate", "a", "--protocol", "hole"], "--protocol is 'hole' (did you mean whole?)"),
        (["predict", "x", "--batch", "0"], "found '0'; expected a number of images"),
        (["predict", "x", "--batch", "1e9"], "found '1e9'"),
        (["predict", "x", "--batch", "9" * 5000], "found '999999"),
        (["predict", "x", "--batch", "100000"], "from 1 to 4,096"),
        (["predict", "x", "--multi-scale", "96,0"], "expected a size in pixels"),
        (["predict", "x", "--multi-scale", "1000000"], "from 16 to 4,096"),
        (["predict", "x", "--multi-scale", ",".join(["64"] * 99)], "found 99 sizes"),
        (["predict", "x", "--out", ""], "expected the name of a file"),
        (["predict", "x", "--max-pixels", "-1"], "expected a number of pixels"),
        (["evaluate", "x", "--margin", "nan"], "expected a share of the box"),
        (["evaluate", "x", "--margin", "inf"], "expected a share of the box"),
        (["evaluate", "x", "--seed", "-1"], "expected a seed"),
        (["pseudo-label", "x", "--out", "o.json", "--tolerance", "x"], "a share of the box"),
        (["versions", "x", "--restore", "0"], "found '0'"),
        (["train", "x", "--threads", "0"], "expected a number of threads"),
    ],
)
def test_wrong_arguments_are_told_in_words(arguments, said, capsys) -> None:
    code, err = run(*arguments, capsys=capsys)
    assert code == status.USAGE
    assert said in err
    assert "invalid" not in err
    assert "--help" in err
    assert len(err) < 600


def test_every_command_has_its_help_with_two_examples(capsys) -> None:
    for command in cli.COMMANDS:
        with pytest.raises(SystemExit) as info:
            cli.main([command, "--help"])
        assert info.value.code == 0
        out = capsys.readouterr().out
        examples = out.split("examples:\n")[1].splitlines()
        assert len([line for line in examples if f"napari-fashion {command}" in line]) >= 2
        assert "--quiet" in out
        assert "--verbose" in out
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    out = capsys.readouterr().out
    for number, text in status.MEANINGS.items():
        assert f"  {number:<4} {text}" in out


def test_examples_are_commands_that_parse() -> None:
    import shlex

    for command in cli.COMMANDS:
        parser, _ = cli._parser()
        for line in cli.module_of(command).EXAMPLES:
            words = shlex.split(line.split("#")[0].split("|")[-1])
            assert words[:2] == ["napari-fashion", command]
            options, unknown = parser.parse_known_args(words[1:])
            assert unknown == []
            assert options.command == command


@pytest.mark.parametrize(
    ("command", "default"),
    [
        ("predict", "16"), ("predict", "bundled"), ("predict", "auto"), ("predict", "skip"),
        ("evaluate", "both"), ("train", "bar"), ("pseudo-label", "mean"), ("demo", "demo-output"),
    ],
)  # fmt: skip
def test_defaults_are_in_the_help(command, default, capsys) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert f"(default: {default})" in " ".join(capsys.readouterr().out.split())


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom napari_fashion.cli import main\n"
        "try:\n    main(['predict', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'numpy', 'PIL', 'napari', 'rich', 'pydantic', 'msgspec'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
