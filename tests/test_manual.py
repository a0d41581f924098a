"""The manual holds what the code has: commands, settings, metrics, messages, links, addresses."""

import re
import shlex
from functools import cache

import pytest

from redshift_core.evaluation.density_metrics import FIGURES
from redshift_core.evaluation.metrics import METRICS
from scripts.manual import messages, reference
from scripts.manual.addresses import outside
from tests.commands import ROOT

DOCS = {path.name: path for path in sorted((ROOT / "docs").glob("*.md"))}
TOP = {name: ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")}
PAGES = DOCS | TOP
COMMANDS = reference.commands()


@cache
def text(name):
    """A page: of ``docs``, of the checkout's root, or one that is written from the code."""
    if name in reference.PAGES:
        return reference.PAGES[name]()
    return PAGES[name].read_text(encoding="utf-8")


def sections(name):
    """Heading of second order → what stands below it."""
    parts = re.split(r"^## (.+)$", text(name), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def code_blocks(page):
    """Fenced and indented code of a page, without the languages of fences."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [*fenced, *re.findall(r"(?:^ {4}\S.*\n)+", page, re.MULTILINE)]


def quoted_commands():
    """Page and words after ``redshift-lab`` of every whole command line that the pages show."""
    for name in PAGES:
        for block in code_blocks(text(name)):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip().startswith("redshift-lab ") and "$(" not in line:
                    yield name, shlex.split(line, comments=True)[1:]


def anchors(page):
    """Anchors of a page's headings, as GitHub and the site make them."""
    found = set()
    prose = re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)
    for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        found.add(slug if slug not in found else f"{slug}-1")
    return found


def test_every_command_and_every_option_is_in_the_reference():
    found = sections("reference/commands.md")
    assert set(found) == set(COMMANDS)
    for name, command in COMMANDS.items():
        written = set(re.findall(r"`([^`\n]+)`", found[name]))
        for one in reference.options(command):
            assert set(reference.names(one)) <= written, (name, one.name)
            assert not one.help or " ".join(one.help.split())[:40] in found[name].replace(
                "\\|", "|"
            )


def test_every_command_is_shown_at_work():
    shown = {words[0] for _, words in quoted_commands()}
    assert set(COMMANDS) - shown == set()


def test_every_setting_is_in_the_reference_with_its_help_and_choices():
    written = {
        name
        for path in (ROOT / "redshift_core").rglob("*.py")
        for name in re.findall(r"^class (\w+)\(Settings\)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert written == {kind.__name__ for kind in reference.SETTINGS}
    found = sections("reference/settings.md")
    for kind, title in reference.SETTINGS.items():
        for item in reference.fields(kind):
            assert (
                f"| `{item.name}` | {item.metadata['help'].replace('|', chr(92) + '|')} |"
                in (found[title])
            )
            assert all(f"`{choice}`" in found[title] for choice in item.metadata["choices"])


def test_every_metric_is_in_the_reference_with_a_formula():
    lines = text("reference/metrics.md").splitlines()
    for key, one in {**METRICS, **FIGURES}.items():
        (line,) = (line for line in lines if re.search(rf"`(pdf\.|pdf\.pit\.)?{key}`", line))
        assert line.startswith(f"| {one.title} |")
        assert one.definition.replace("|", "\\|") in line
        assert all(len(cell.strip()) > 4 for cell in re.split(r"(?<!\\)\|", line)[3:5])


def test_every_message_stands_in_the_list_under_one_heading():
    found = sections("reference/messages.md")
    for file, sentence in messages.messages():
        headings = [
            heading
            for heading, starts in messages.MESSAGES_OF.items()
            if file.startswith(starts) and f"\n- {sentence}\n" in found[heading]
        ]
        assert len(headings) == 1, (file, sentence)


def test_every_message_that_the_page_explains_is_said_by_the_product():
    quoted = re.findall(r"^\| `(.+?)` \|", text("messages.md"), re.MULTILINE)
    assert len(quoted) > 80
    said = messages.texts() + "\n" + (ROOT / "Makefile").read_text(encoding="utf-8")
    pattern = {one: ".*".join(map(re.escape, one.split(messages.GAP))) for one in quoted}
    assert [one for one in quoted if not re.search(pattern[one], said)] == []


@pytest.mark.parametrize("name", sorted({page for page, _ in quoted_commands()}))
def test_every_command_line_that_a_page_shows_can_be_typed(name):
    for words in (words for page, words in quoted_commands() if page == name):
        assert words[0] in COMMANDS, words
        COMMANDS[words[0]].make_context(words[0], words[1:])


def test_every_command_and_option_in_a_sentence_exists():
    known = {
        o for one in COMMANDS.values() for p in one.params for o in (*p.opts, *p.secondary_opts)
    }
    for name in PAGES:
        for span in re.findall(r"`redshift-lab ([^`\n]+)`", text(name)):
            command, *words = span.split()
            assert command in (*COMMANDS, "COMMAND", "--version"), (name, span)
            options = {word.split("=")[0] for word in words if word.startswith("--")} - {"--help"}
            mine = COMMANDS[command].params if command in COMMANDS else []
            assert options <= {o for p in mine for o in (*p.opts, *p.secondary_opts)}, (name, span)
    for name in DOCS:
        spans = re.findall(r"`(--[a-z][a-z-]+)[ `=]", text(name))
        foreign = {  # of scripts, of Dask, and gone ones
            "--help", "--file", "--plan", "--nthreads", "--nworkers", "--role", "--chief",
        }  # fmt: skip
        assert set(spans) - known - foreign == set(), name


@pytest.mark.parametrize("name", [*PAGES, *reference.PAGES])
def test_every_link_and_anchor_leads_somewhere(name):
    here = (ROOT / "docs" / name if name not in TOP else ROOT / name).parent
    page = re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text(name), flags=re.S | re.M))
    for link in re.findall(r"\]\(([^)\s]+)\)", page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (here / path).resolve() if path else here / name
        inside = target.relative_to(ROOT / "docs").as_posix() if "docs" in target.parts else ""
        key = name if not path else inside if inside in reference.PAGES else target.name
        assert key in reference.PAGES or target.exists(), link
        assert not anchor or anchor in anchors(text(key)), link


def test_every_page_of_the_manual_is_in_its_contents():
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    listed = re.findall(r"([\w/-]+\.md)$", nav, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(DOCS) | set(reference.PAGES) <= set(listed)
    taken = {"index.md", "contributing.md", "changelog.md"}
    rest = {one for one in listed if not one.startswith("api/")} - set(reference.PAGES) - taken
    assert rest == set(DOCS)
    packages = {path.parent.name for path in (ROOT / "redshift_core").glob("*/__init__.py")}
    assert {one[4:-3] for one in listed if one.startswith("api/")} == packages - {"cli"}


def test_every_environment_variable_is_in_the_manual():
    paths = [
        ROOT / "app.py",
        *(ROOT / "redshift_core").rglob("*.py"),
        *(ROOT / "pages").rglob("*.py"),
    ]
    read = re.findall(r"REDSHIFT_LAB_\w+", "".join(path.read_text("utf-8") for path in paths))
    assert set(read) - set(re.findall(r"REDSHIFT_LAB_\w+", text("store.md"))) == set()


def test_every_script_and_target_that_a_page_names_is_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in PAGES:
        for script in re.findall(r"python -m (scripts\.[\w.]+|tests\.[\w.]+)", text(name)):
            path = ROOT / script.rstrip(".").replace(".", "/")
            assert path.with_suffix(".py").exists() or path.is_dir(), (name, script)
        for script in re.findall(r"scripts/\w+\.py", text(name)):
            assert (ROOT / script).exists(), (name, script)
        for target in re.findall(r"`make ([a-z]+)", text(name)):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), (name, target)


def test_the_readme_is_a_screen_and_a_half():
    lines = text("README.md").splitlines()
    assert len(lines) <= 100
    assert sum(line.startswith("make ") for line in lines) == 2
    assert "SIMULATED" in text("README.md")


def test_figures_of_the_readme_are_those_of_the_page_on_what_was_measured():
    measured = text("results.md")
    rows = re.findall(r"^\| (.+?) \| (0\.0.+) \|$", text("README.md"), re.MULTILINE)
    assert len(rows) > 5
    for method, cells in rows:
        (line,) = re.findall(rf"^\| {re.escape(method)} \|(.+)\|$", measured, re.M)[:1]
        assert set(cells.split(" | ")) <= {cell.strip() for cell in line.split("|")}, method


def test_a_site_that_loads_from_elsewhere_is_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<link rel="canonical" href="https://a"><a href="https://b">b</a><img src="c.png">'
        '<script src="https://cdn.example/d.js"></script><img src="//e/f.png">'
    )
    (tmp_path / "g.css").write_text("a { background: url('https://fonts.example/h') }")
    assert sorted(one.split(": ")[1] for one in outside(tmp_path)) == [
        "//e/f.png", "https://cdn.example/d.js", "https://fonts.example/h",
    ]  # fmt: skip
