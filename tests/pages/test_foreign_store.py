"""A store of another user, and a read-only one: every page and command looks, or says why not."""

from __future__ import annotations

import re

import pytest

from pages.ui.nav import SECTIONS
from redshift_core.store import Store
from tests.fault_scenes import foreign, read_only
from tests.pages.made_up import make_dataset, make_run, open_page

PAGES = [file[6:-3] for entries in SECTIONS.values() for file, *_ in entries]
NEED_NO_STORE = ("glossary",)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A store with a dataset and a judged run, without the folders that a page may make."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDSHIFT_LAB_HOME", str(tmp_path_factory.mktemp("foreign") / "home"))
        store = Store()
        dataset = make_dataset(store)
        yield store, dataset, make_run(store, dataset, name="judged", evaluated=True)


def plain(text):
    return text.replace("\\", "")


def test_every_page_of_a_store_that_may_not_be_read_names_it_its_owner_and_the_way_out(scene):
    store, *_ = scene
    with foreign(store.root, 0o000):
        for page in PAGES:
            at = open_page(page)
            assert not at.exception, (page, at.exception[0].value)
            if page in NEED_NO_STORE:
                continue
            (said,) = at.error
            assert re.search(
                rf"{store.root}.* may not be read by the user root: it belongs to the user "
                "nobody.* set REDSHIFT_LAB_HOME to a folder of your own",
                plain(said.value),
            ), (page, said.value)


def test_every_command_on_it_ends_with_that_sentence(scene, here):
    store, dataset, _ = scene
    with foreign(store.root, 0o000):
        for command in (["runs"], ["datasets"], ["train", dataset.id], ["evaluate", "r"]):
            code, out, err = here(*command)
            assert (code, out, err.count("\n")) == (2, "", 1), (command, err)
            assert "it belongs to the user nobody. Ask the user nobody for access, or" in err


@pytest.mark.parametrize("kind", ["foreign", "read-only"])
def test_a_store_that_may_only_be_read_is_read_and_a_button_says_why_it_cannot_write(
    scene, here, kind
):
    store, dataset, run = scene
    made = foreign(store.root, 0o755) if kind == "foreign" else read_only(store.root)
    said = "may not be written by" if kind == "foreign" else "cannot be written: its disk is read"
    with made:
        for page in ("data", "train", "evaluate", "predict") if kind == "foreign" else ("data",):
            at = open_page(page)
            assert not at.exception, (page, at.exception[0].value)
            assert [one.value for one in at.error] == [], page
        at = open_page("evaluate", run=run.id, dataset=dataset.id)
        pressed = next(one for one in at.button if one.key == "evaluate_other").click().run()
        assert not pressed.exception
        assert said in plain(" ".join(one.value for one in pressed.error))
        assert here("runs")[0] == 0
        for command in (
            ["rename", run.id, "x"],
            ["train", dataset.id],
            ["delete", run.id, "--yes"],
        ):
            code, out, err = here(*command)
            assert (code, out, err.count("\n")) == (2, "", 1), (command, err)
            assert said in err
            assert "REDSHIFT_LAB_HOME" in err
    assert [one.id for one in store.runs()] == [run.id]
