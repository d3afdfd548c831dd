"""What Chromium makes of a drawing: its names, its colours, its size, its text."""

import pytest
from drawn import NEURON

from handgrad import draw

pytestmark = pytest.mark.browser
LIGHT, DARK = "rgb(29, 91, 166)", "rgb(138, 184, 240)"


@pytest.fixture
def show(browser):
    """Open a page with figures and return it; close it afterwards."""
    opened = []

    def opener(body, *, width=1280, scheme="light", head=""):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        opened.append(page)
        page.set_content(f"<!doctype html><html lang=en><title>t</title>{head}<main>{body}</main>")
        return page

    yield opener
    for page in opened:
        page.close()


def images(page):
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    return [
        (node["name"]["value"], node["description"]["value"])
        for node in tree
        if node.get("role", {}).get("value") in ("image", "img")
    ]


@pytest.mark.parametrize("width", [1280, 390])
def test_two_equal_figures_have_both_name_and_description(show, width):
    drawing = draw(NEURON, title="One neuron")
    page = show(drawing._repr_html_() * 2, width=width)

    assert images(page) == [("One neuron", drawing.description)] * 2


@pytest.mark.parametrize(("width", "shown"), [(1280, "wide"), (920, "wide"), (919, "tall")])
def test_one_of_the_two_drawings_is_shown(show, width, shown):
    page = show(draw(NEURON, title="One neuron")._repr_html_(), width=width)
    visible = page.evaluate(
        "[...document.querySelectorAll('svg')].filter(s => s.checkVisibility())"
        ".map(s => s.classList.contains('tall') ? 'tall' : 'wide')"
    )

    assert visible == [shown]


@pytest.mark.parametrize(
    ("scheme", "head", "colour"),
    [
        ("light", "", LIGHT),
        ("dark", "", LIGHT),  # a page that stays white, such as a notebook's
        ("dark", "<style>:root{color-scheme:light dark}</style>", DARK),
        ("light", "<script>document.documentElement.dataset.theme = 'dark'</script>", DARK),
        (
            "dark",
            "<style>:root{color-scheme:light dark}</style>"
            "<script>document.documentElement.dataset.theme = 'light'</script>",
            LIGHT,
        ),
        ("light", "<style>:root{--fwd:rgb(1, 2, 3)}</style>", "rgb(1, 2, 3)"),
    ],
)
def test_colours_follow_the_page(show, scheme, head, colour):
    page = show(draw(NEURON, title="One neuron")._repr_html_(), scheme=scheme, head=head)
    assert page.evaluate("getComputedStyle(document.querySelector('svg .v')).fill") == colour


@pytest.mark.parametrize(("scheme", "colour"), [("light", LIGHT), ("dark", DARK)])
def test_a_saved_file_follows_the_viewer(browser, tmp_path, scheme, colour):
    draw(NEURON, title="One neuron").save(tmp_path / "neuron.svg")
    page = browser.new_page(color_scheme=scheme)
    page.goto((tmp_path / "neuron.svg").as_uri())
    look = "e => [getComputedStyle(e).fill, getComputedStyle(document.documentElement)]"
    fill, ground = page.evaluate(f"({look})(document.querySelector('.v')).map((v, i) => i "
                                 "? v.backgroundColor : v)")  # fmt: skip
    page.close()

    assert fill == colour
    assert ground == {"light": "rgb(253, 252, 248)", "dark": "rgb(21, 23, 27)"}[scheme]


def test_style_does_not_leak(show):
    """Elements of the page that bear the same classes keep their own look."""
    outside = '<svg><text class="t">a</text><rect class="node"/></svg><p class="v">b</p>'
    look = "[...document.querySelectorAll('main > svg *, main > p')].map(e => [getComputedStyle(e).fill, getComputedStyle(e).fontSize])"  # noqa: E501
    alone = show(outside).evaluate(look)

    assert show(outside + draw(NEURON, title="T")._repr_html_()).evaluate(look) == alone


@pytest.mark.parametrize("width", [1280, 390])
def test_no_text_leaves_its_box_in_a_common_font(show, width):
    """Where the book's font is missing, the fallback still fits into every box."""
    page = show(draw(NEURON, title="One neuron")._repr_html_(), width=width)
    outside = page.evaluate("""
        [...document.querySelectorAll('svg')].filter(s => s.checkVisibility()).flatMap(s =>
          [...s.querySelectorAll('g[data-node]')].flatMap(g => {
            const box = g.querySelector('rect').getBoundingClientRect();
            return [...g.querySelectorAll('text')].filter(t => {
              const r = t.getBoundingClientRect();
              return r.left < box.left || r.right > box.right;
            }).map(t => t.textContent);
          }))
    """)

    assert outside == []
