#!/usr/bin/env python3
"""What a page of another server can do with `memelens serve`, in headless Chromium.

usage: test_elsewhere.py PROGRAM

One line a check; exit 1 when one failed, 77 when there is no Chromium, driver or selenium (Debian: chromium, chromium-driver, python3-selenium).
"""
import functools
import http.server
import os
import sys
import tempfile
import threading

from browser import By, check, end, failures, have_driver, open_browser, serve_few, wait_for

PAGE = """<!doctype html><title>elsewhere</title><img id=file src="{0}api/pictures/1/file?1"><img id=thumb src="{0}api/pictures/1/thumb">
<a href="{0}?q=id:1">there</a>"""


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def shows(driver, name):
    """The width of picture NAME once it is there or is known not to come."""
    wait_for(driver, lambda: driver.execute_script("return document.getElementById(arguments[0]).complete", name))
    return driver.execute_script("return document.getElementById(arguments[0]).naturalWidth", name)


def fetched(driver, address):
    return driver.execute_async_script("const done = arguments[1]; fetch(arguments[0] + 'api/status').then(a => a.json()).then(a => done(a.pictures), () => done(-1))", address)


def main():
    have_driver()
    with tempfile.TemporaryDirectory(prefix="memelens-elsewhere-") as folder:
        pages = os.path.join(folder, "pages")
        os.makedirs(pages)
        other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=pages))
        threading.Thread(target=other.serve_forever, daemon=True).start()
        here, alias = (f"http://{name}:{other.server_port}" for name in ("127.0.0.1", "localhost"))  # the same host name, and another one
        process, address = serve_few(os.path.abspath(sys.argv[1]), folder, "--allow-origin", "http://allowed.example")
        driver = open_browser()
        try:
            with open(os.path.join(pages, "index.html"), "w", encoding="utf-8") as out:
                out.write(PAGE.format(address))
            driver.get(here)
            check("a page at another port shows a picture", shows(driver, "file") > 0)
            check("but not a small one", shows(driver, "thumb") == 0)
            check("and asks nothing", fetched(driver, address) == -1)
            driver.get(alias)
            check("a page of another site shows none", shows(driver, "file") == 0)
            driver.find_element(By.TAG_NAME, "a").click()
            check("but leads to the page", wait_for(driver, lambda: len(driver.find_elements(By.CSS_SELECTOR, ".tile")) == 4), driver.page_source[:300])
            check("which shows its pictures", wait_for(driver, lambda: driver.execute_script("return document.querySelector('.tile img').naturalWidth > 0")))
            driver.quit()
            end(process)
            process, address = serve_few(os.path.abspath(sys.argv[1]), folder, "--allow-origin", alias)
            with open(os.path.join(pages, "index.html"), "w", encoding="utf-8") as out:
                out.write(PAGE.format(address))
            driver = open_browser()
            driver.get(alias)
            check("a page that is allowed shows all", shows(driver, "file") > 0 and shows(driver, "thumb") > 0)
            check("and asks", fetched(driver, address) == 4, fetched(driver, address))
        finally:
            driver.quit()
            end(process)
            other.shutdown()
    return 1 if failures() else 0


if __name__ == "__main__":
    sys.exit(main())
