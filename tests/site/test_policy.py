"""Every page has a Content-Security-Policy, obeys it, and is protected by it."""

import pytest
from playwright.sync_api import Error

pytestmark = pytest.mark.browser

HEARD = """() => {
    window.broken = [];
    addEventListener("securitypolicyviolation", (event) =>
        window.broken.push(event.violatedDirective + " " + event.blockedURI));
}"""


@pytest.mark.parametrize("way", ["url", "file"])
def test_every_page_obeys_its_policy(book, browser, way):
    """No page breaks its own rule, hosted or opened from a folder."""
    page = browser.new_page()
    page.add_init_script(f"({HEARD})()")
    broken = {}
    for name in book.pages:
        page.goto(getattr(book, way)(name))
        page.wait_for_load_state()
        assert page.locator("meta[http-equiv='Content-Security-Policy']").count() == 1, name
        if seen := page.evaluate("window.broken"):
            broken[name] = seen
    page.close()
    assert broken == {}


def test_a_foreign_script_is_stopped(book, browser):
    """Neither an inline script nor one from elsewhere runs, even if a page is tampered with."""
    page = browser.new_page()
    page.add_init_script(f"({HEARD})()")
    page.goto(book.url("index.html"))
    page.evaluate("""() => {
        for (const text of ["window.planted = 1", null]) {
            const script = document.createElement("script");
            if (text) script.textContent = text; else script.src = "http://127.0.0.2:9/evil.js";
            document.head.append(script);
        }
    }""")
    page.wait_for_function("window.broken.length >= 2")
    assert page.evaluate("window.planted") is None
    with pytest.raises(Error):
        page.evaluate("fetch('http://127.0.0.2:9/steal')")
    page.close()
