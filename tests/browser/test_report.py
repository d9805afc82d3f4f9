#!/usr/bin/env python3
"""Drives the report of `memelens compare` in headless Chromium: sorting, filtering, enlarging, what it asks of the network, how it fits.

usage: test_report.py PROGRAM [--report HTML] [--screenshots DIR]

Without --report it makes pictures, runs PROGRAM over them, and tests what comes. One line a check; exit 1 when one failed, 77 when there is
no Chromium, driver or selenium (Debian: chromium, chromium-driver, python3-selenium).
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse

from browser import By, Keys, check, failures, have_driver, open_browser, picture, resize
from selenium.webdriver.support.ui import Select


def make_report(program, folder):
    """Runs the experiment over made pictures; some queries are labelled wrong, so that every verdict occurs."""
    pictures = os.path.join(folder, "pictures")
    for label in range(5):
        os.makedirs(os.path.join(pictures, f"label{label}"))
        for i in range(6):
            picture(os.path.join(pictures, f"label{label}", f"{i}.ppm"), label, 40 + 4 * i, f"{label} {i}")
    lines = ["query\texpected\trelated\tnote"]
    for label in range(5):
        picture(os.path.join(folder, f"query{label}.ppm"), label, 60, f"query {label}")
        lines.append(f"query{label}.ppm\tlabel{label if label < 3 else label - 3}\t{'label4' if label == 4 else ''}\tnote <{label}> & more")
    lines += ["words for what no one drew\tlabel1", "missing.jpg\tlabel1"]
    queries = os.path.join(folder, "queries.tsv")
    with open(queries, "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")
    report = os.path.join(folder, "report.html")
    subprocess.run([program, "compare", queries, "--pictures", pictures, "--model", "colour", "--model", "colour@jina32", "--model", "colour@pad",
                    "--work", os.path.join(folder, "work"), "-o", report], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return report


def many(report, path, count):
    """The same report with COUNT queries."""
    page = open(report, encoding="utf-8").read()
    begin = page.index('id="data">') + len('id="data">')
    end = page.index("</script>", begin)
    data = json.loads(page[begin:end])
    rows = [row for row in data["rows"] if not row.get("error")]
    data["rows"] = [dict(rows[i % len(rows)], query=f"query {i}") for i in range(count)]
    with open(path, "w", encoding="utf-8") as out:
        out.write(page[:begin] + json.dumps(data).replace("<", "\\u003c") + page[end:])


def go(driver, path, width, height=900):
    resize(driver, width, height)
    driver.get("file://" + path)


def asked(driver):
    """What was asked of anything but the page itself and what is inside it."""
    out = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if not url.startswith("data:"):
                out.append(url)
    return out


def test_figures(driver):
    heads = driver.find_elements(By.CSS_SELECTOR, "#figures thead button")
    column = [h.text for h in heads].index("index")

    def values():
        return [float(row.find_elements(By.CSS_SELECTOR, "td, th")[column].text.split()[0]) for row in driver.find_elements(By.CSS_SELECTOR, "#figures tbody tr")]

    before = sorted(values())
    heads[column].click()
    down = values()
    driver.find_elements(By.CSS_SELECTOR, "#figures thead button")[column].click()
    up = values()
    check("sorting a column, largest first", down == before[::-1], down)
    check("and the other way", up == before, up)
    states = [h.get_attribute("aria-sort") for h in driver.find_elements(By.CSS_SELECTOR, "#figures thead th")]
    check("the sorted column says so", states[column] == "ascending" and states.count("none") == len(states) - 1, states)


def count_of(driver):
    return int(driver.find_element(By.ID, "count").text.split()[0].replace(",", ""))


def test_filters(driver):
    everything = count_of(driver)
    verdict = Select(driver.find_element(By.NAME, "verdict"))
    seen = 0
    for value in ("good", "kinda", "bad", "unexpected", "unjudged"):
        verdict.select_by_value(value)
        rows = driver.find_elements(By.CSS_SELECTOR, "#rows .row")
        seen += count_of(driver) > 0
        check(f"filter {value}", count_of(driver) == len(rows) and all(row.find_elements(By.CSS_SELECTOR, ".verdict." + value) or row.find_elements(By.CSS_SELECTOR, ".asked .bad") for row in rows),
              f"{count_of(driver)} said, {len(rows)} shown")
    check("several verdicts occur", seen >= 3, seen)
    verdict.select_by_value("")
    text = driver.find_element(By.NAME, "text")
    wanted = driver.execute_script("return data.rows[1].query")
    text.send_keys(wanted)
    check("filter by text", 0 < count_of(driver) < everything, count_of(driver))
    check("the address keeps the view", "text=" in driver.current_url, driver.current_url)
    driver.refresh()
    check("and gives it back", 0 < count_of(driver) < everything, count_of(driver))
    driver.find_element(By.NAME, "text").clear()
    driver.find_element(By.NAME, "text").send_keys("x", Keys.BACKSPACE)
    check("and all is back", count_of(driver) == everything, count_of(driver))


def test_enlarging(driver):
    button = driver.find_element(By.CSS_SELECTOR, "#rows .picture")
    button.click()
    dialog = driver.find_element(By.ID, "large")
    check("a picture opens large", dialog.get_attribute("open") is not None and dialog.find_element(By.CSS_SELECTOR, "img.main").size["width"] > 100)
    check("with what the encoders saw", len(dialog.find_elements(By.CSS_SELECTOR, ".strip li")) > 0)
    first = dialog.find_element(By.CSS_SELECTOR, "code").text
    driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    check("the arrow goes on", dialog.find_element(By.CSS_SELECTOR, "code").text != first)
    driver.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    check("and back", dialog.find_element(By.CSS_SELECTOR, "code").text == first)
    driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    check("Escape closes", dialog.get_attribute("open") is None)
    check("and the focus is where it was", driver.switch_to.active_element == button)


def test_switches(driver):
    image = "return document.querySelector('#rows .answer .picture img').src"
    before = driver.execute_script(image)
    driver.find_element(By.NAME, "seen").click()
    check("what the encoder saw", driver.execute_script(image) != before)
    driver.find_element(By.NAME, "seen").click()
    driver.find_element(By.NAME, "why").click()
    check("where the score comes from", len(driver.find_elements(By.CSS_SELECTOR, "#rows canvas")) > 0)
    driver.find_element(By.NAME, "why").click()


def test_fit(driver, path, width):
    go(driver, path, width)
    check(f"nothing sticks out at {width} pixels", driver.execute_script("return document.documentElement.scrollWidth") <= width,
          driver.execute_script("return document.documentElement.scrollWidth"))


def shoot(driver, path, width, folder, name):
    go(driver, path, width)
    height = min(9000, driver.execute_script("return document.documentElement.scrollHeight"))
    go(driver, path, width, height)
    driver.save_screenshot(os.path.join(folder, name))


def test_many(driver, report, folder):
    path = os.path.join(folder, "many.html")
    many(report, path, 5000)
    go(driver, path, 1280)
    shown = len(driver.find_elements(By.CSS_SELECTOR, "#rows .row"))
    check("5,000 queries: not all are built at once", 0 < shown < 500, shown)
    took = driver.execute_script("const begin = performance.now(); state.text = 'query 49'; choose(); return performance.now() - begin")
    print(f"measured: 5,000 queries filtered in {took:.0f} ms")
    shown = len(driver.find_elements(By.CSS_SELECTOR, "#rows .row"))
    check("5,000 queries: the right ones are left", count_of(driver) == 111 and 0 < shown <= 111, (count_of(driver), shown))
    driver.execute_script("state.text = ''; choose(); window.dispatchEvent(new Event('beforeprint'))")
    check("5,000 queries: printing has all", driver.execute_script("return document.querySelectorAll('#rows .row').length") == 5000)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--report")
    parser.add_argument("--screenshots")
    arguments = parser.parse_args()
    have_driver()
    with tempfile.TemporaryDirectory(prefix="memelens-report-") as folder:
        report = os.path.abspath(arguments.report) if arguments.report else make_report(os.path.abspath(arguments.program), folder)
        driver = open_browser()
        try:
            go(driver, report, 1280)
            test_figures(driver)
            test_filters(driver)
            test_enlarging(driver)
            test_switches(driver)
            test_fit(driver, report, 1280)
            test_fit(driver, report, 400)
            test_many(driver, report, folder)
            own = {"file://" + report, "file://" + os.path.join(folder, "many.html")}
            others = [url for url in asked(driver) if urllib.parse.unquote(url.split("#")[0]) not in own]
            check("nothing is asked of anyone", not others, others)
            said = [entry["message"] for entry in driver.get_log("browser")]
            check("the console is silent", not said, said)
            if arguments.screenshots:
                os.makedirs(arguments.screenshots, exist_ok=True)
                shoot(driver, report, 1280, arguments.screenshots, "wide.png")
                shoot(driver, report, 400, arguments.screenshots, "narrow.png")
        finally:
            driver.quit()
        if arguments.screenshots:
            driver = open_browser(dark=True)
            shoot(driver, report, 1280, arguments.screenshots, "dark.png")
            driver.quit()
    return 1 if failures() else 0


if __name__ == "__main__":
    sys.exit(main())
