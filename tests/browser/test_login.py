#!/usr/bin/env python3
"""Logs in to `memelens serve --token-file` in headless Chromium, as a person who was told the token would.

usage: test_login.py PROGRAM

One line a check; exit 1 when one failed, 77 when there is no Chromium, driver or selenium (Debian: chromium, chromium-driver, python3-selenium).
"""
import os
import sys
import tempfile

from browser import By, Keys, check, end, failures, have_driver, open_browser, serve_few, wait_for

TOKEN = "0123456789abcdef0123"


def log_in(driver, token):
    driver.find_element(By.ID, "token").send_keys(token, Keys.ENTER)


def test(driver, address):
    driver.get(address + "?q=id:1")
    check("who has no token is asked for it", wait_for(driver, lambda: driver.current_url.endswith("/login")), driver.current_url)
    log_in(driver, "0123456789abcdef0124")
    check("a wrong one is told so", wait_for(driver, lambda: "not the token" in driver.find_element(By.CSS_SELECTOR, "[role=alert]").text), driver.page_source)
    log_in(driver, TOKEN)
    check("the right one opens the page", wait_for(driver, lambda: driver.find_elements(By.CSS_SELECTOR, ".sample.picture")), driver.page_source[:500])
    driver.get(address + "?q=id:1")
    check("and is kept", wait_for(driver, lambda: len(driver.find_elements(By.CSS_SELECTOR, ".tile")) == 4), driver.page_source[:500])


def main():
    have_driver()
    with tempfile.TemporaryDirectory(prefix="memelens-login-") as folder:
        token = os.path.join(folder, "token")
        with open(token, "w", encoding="ascii") as out:
            out.write(TOKEN + "\n")
        process, address = serve_few(os.path.abspath(sys.argv[1]), folder, "--token-file", token)
        driver = open_browser()
        try:
            test(driver, address)
        finally:
            driver.quit()
            end(process)
    return 1 if failures() else 0


if __name__ == "__main__":
    sys.exit(main())
