#!/usr/bin/env python3
"""Drives the page of `memelens serve` in headless Chromium, as a person with a mouse, a keyboard or a phone would.

usage: test_page.py PROGRAM [--screenshots DIR] [--address http://…]

Makes pictures, indexes them, serves them and tests. With --address it takes pictures of a server that runs already instead. One line a check;
exit 1 when one failed, 77 when there is no Chromium, driver or selenium (Debian: chromium, chromium-driver, python3-selenium).
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

from browser import By, Keys, check, failures, have_driver, library, open_browser, resize, serve

COUNT = 400


def until(what, seconds=20):
    """What WHAT returns, once it is something; else its last answer."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = what()
        except Exception as error:  # an element that was just exchanged
            found = None
            if time.monotonic() > end:
                raise error
        if found or time.monotonic() > end:
            return found
        time.sleep(0.05)


def tiles(driver):
    return driver.find_elements(By.CSS_SELECTOR, ".tile")


def one(driver, selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def dialog_open(driver):
    return one(driver, "#viewer").get_attribute("open") is not None


def chips(driver):
    return driver.find_elements(By.CSS_SELECTOR, ".chip")


def asks_for(driver, number):
    return re.search(rf"q=id%3A{number}(&|$)", driver.current_url)


# A file out of a picture that the page can reach, as a drag or a clipboard carries it.
CARRY = """
const [kind, source, done] = [arguments[0], arguments[1], arguments[2]];
fetch(source).then(answer => answer.blob()).then(blob => {
  const carried = new DataTransfer();
  carried.items.add(new File([blob], 'carried.png', {type: 'image/png'}));
  if (kind === 'paste') document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: carried, bubbles: true, cancelable: true}));
  else for (const name of ['dragenter', 'dragover', 'drop'])
    dispatchEvent(new DragEvent(name, {dataTransfer: carried, bubbles: true, cancelable: true}));
  done();
});
"""


def test_start(driver, address):
    driver.get(address)
    check("samples to start with", until(lambda: len(driver.find_elements(By.CSS_SELECTOR, ".sample.picture")) >= 3))
    until(lambda: one(driver, ".sample.picture")).click()
    check("a sample finds pictures", until(lambda: len(tiles(driver)) > 5), len(tiles(driver)))
    check("and how long it took is said", until(lambda: " ms" in one(driver, "#count").text), one(driver, "#count").text)


def test_upload(driver, address, folder):
    driver.get(address)
    query = os.path.join(folder, "pictures", "label1", "0.ppm")
    until(lambda: one(driver, "#file")).send_keys(query)
    check("an upload becomes a chip", until(lambda: len(chips(driver)) == 1), len(chips(driver)))
    check("and finds itself first", until(lambda: tiles(driver) and tiles(driver)[0].get_attribute("aria-label").startswith("0.ppm, score 1.000")),
          tiles(driver) and tiles(driver)[0].get_attribute("aria-label"))
    shared = driver.current_url
    driver.get(address)
    driver.get(shared)
    check("its address gives the same again", until(lambda: tiles(driver) and tiles(driver)[0].get_attribute("aria-label").startswith("0.ppm, score 1.000")))
    for kind in ("paste", "drop"):
        driver.get(address)
        until(lambda: one(driver, ".sample.picture"))
        driver.execute_async_script(CARRY, kind, "/api/pictures/3/thumb?side=640")
        check(f"{kind} finds pictures", until(lambda: len(chips(driver)) == 1 and len(tiles(driver)) > 5), len(tiles(driver)))


def test_terms(driver, address):
    driver.get(address + "?q=id:5")
    until(lambda: len(tiles(driver)) > 5)
    first = tiles(driver)[1].get_attribute("aria-label")
    driver.get(address + "?q=id:5&q=id*-0.5:9")
    until(lambda: len(chips(driver)) == 2 and len(tiles(driver)) > 5)
    check("two terms are two chips, one of them away from it", len(driver.find_elements(By.CSS_SELECTOR, ".chip.minus")) == 1)
    one(driver, ".chip.minus .sign").click()
    check("plus and minus turn", until(lambda: "id*0.5%3A9" in driver.current_url), driver.current_url)
    driver.execute_script("const s = document.querySelectorAll('.chip input')[0]; s.value = 1.5; s.dispatchEvent(new Event('change'))")
    check("a slider weighs", until(lambda: "id*1.5%3A5" in driver.current_url), driver.current_url)
    driver.find_elements(By.CSS_SELECTOR, ".chip .remove")[1].click()
    check("a chip can go", until(lambda: len(chips(driver)) == 1))
    for _ in range(3):
        driver.back()
    check("the back button brings it back", until(lambda: len(driver.find_elements(By.CSS_SELECTOR, ".chip.minus")) == 1), driver.current_url)
    field = one(driver, "#words")
    driver.get(address)
    field = until(lambda: one(driver, "#words"))
    field.send_keys("a cat", Keys.ENTER)
    check("words that no model knows: a kind sentence", until(lambda: driver.find_elements(By.CSS_SELECTOR, ".state") and "knows pictures, not words" in one(driver, ".state").text),
          one(driver, "main").text)
    return first


def test_viewer(driver, address):
    driver.get(address + "?q=id:5")
    until(lambda: len(tiles(driver)) > 5)
    tiles(driver)[0].click()
    check("a click opens it large", until(lambda: dialog_open(driver) and one(driver, "#viewer figure img").size["width"] > 50))
    name = one(driver, "#viewer h2").text
    driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    check("the arrow goes on", until(lambda: one(driver, "#viewer h2").text != name))
    driver.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    check("and back", until(lambda: one(driver, "#viewer h2").text == name))
    check("path, size and score are said", all(word in one(driver, "#viewer dl").text for word in ("Score", "Size", "Path")), one(driver, "#viewer dl").text)
    for button in driver.find_elements(By.CSS_SELECTOR, ".actions button"):
        if button.text == "What the encoder saw":
            button.click()
    check("what the encoder saw", until(lambda: "The encoder saw" in one(driver, ".more").text), one(driver, ".more").text)
    for button in driver.find_elements(By.CSS_SELECTOR, ".actions button"):
        if button.text == "Why?":
            button.click()
    check("why it came up, as a picture and a sentence", until(lambda: driver.find_elements(By.CSS_SELECTOR, ".more img") and "Score" in one(driver, ".more p").text),
          one(driver, ".more").text)
    driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    check("Escape closes", until(lambda: not dialog_open(driver)))
    check("and the focus is at the tile", until(lambda: driver.switch_to.active_element.get_attribute("class") == "tile"))
    driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    check("arrows walk along the tiles", driver.switch_to.active_element.get_attribute("data-index") == "1")
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    until(lambda: dialog_open(driver))
    one(driver, ".actions .primary").click()
    check("more like this", until(lambda: not dialog_open(driver) and len(chips(driver)) == 1 and not asks_for(driver, 5)), driver.current_url)
    driver.back()
    check("and back again", until(lambda: asks_for(driver, 5) and dialog_open(driver)), driver.current_url)


def test_grid(driver, address):
    driver.get(address + "?q=id:5")
    until(lambda: len(tiles(driver)) > 5)
    seen = set()
    for _ in range(60):
        driver.execute_script("scrollTo(0, document.documentElement.scrollHeight)")
        time.sleep(0.1)
        seen |= {int(tile.get_attribute("data-index")) for tile in tiles(driver)}
        if COUNT - 1 in seen:
            break
    check("scrolling reaches the last picture", COUNT - 1 in seen, max(seen, default=-1))
    check("but few are in the document", len(tiles(driver)) < COUNT / 2, len(tiles(driver)))
    one(driver, "#fold").click()
    check("folding shows what stands for several", until(lambda: driver.find_elements(By.CSS_SELECTOR, ".copies")))
    check("and is in the address", "fold=1" in driver.current_url)


def test_library(driver, address):
    driver.get(address)
    until(lambda: one(driver, "#to-library")).click()
    check("why can't I find it: the folders", until(lambda: "pictures" in one(driver, "main").text and "Is its folder in?" in one(driver, "main").text))
    check("and what could not be read, with the reason", "broken.jpg" in one(driver, ".failures").text, one(driver, "main").text)
    until(lambda: one(driver, ".library .primary")).click()
    check("looking again says how it ended", until(lambda: "Nothing is new" in one(driver, "#toast").text or "Done" in one(driver, "#toast").text), one(driver, "#toast").text)


def test_fit(driver, address, width):
    resize(driver, width)
    for query in ("", "?q=id:5&q=id*-0.5:9", "?view=library", "?q=id:5&open=6"):
        driver.get(address + query)
        time.sleep(0.4)
        much = driver.execute_script("return document.documentElement.scrollWidth")
        check(f"nothing sticks out at {width} pixels: {query or 'start'}", much <= width, much)
    resize(driver, 1280)


def shoot(address, folder, pictures=(("start", ""), ("results", "?q=id:17&q=id*0.5:40"), ("viewer", "?q=id:17&open=17"), ("library", "?view=library"))):
    os.makedirs(folder, exist_ok=True)
    for name, width, height, dark in (("wide", 1280, 800, False), ("dark", 1280, 800, True), ("phone", 390, 844, False)):
        driver = open_browser(dark)
        resize(driver, width, height)
        for part, query in pictures:
            driver.get(address + query)
            time.sleep(1.5)
            if part == "viewer":
                for button in driver.find_elements(By.CSS_SELECTOR, ".actions button"):
                    if button.text == "Why?":
                        button.click()
                time.sleep(1.5)
            driver.save_screenshot(os.path.join(folder, f"{part}-{name}.png"))
        driver.quit()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--screenshots")
    parser.add_argument("--address")
    arguments = parser.parse_args()
    have_driver()
    if arguments.address:
        shoot(arguments.address, arguments.screenshots)
        return 0
    with tempfile.TemporaryDirectory(prefix="memelens-page-") as folder:
        program = os.path.abspath(arguments.program)
        process, address = serve(program, library(program, folder, COUNT))
        driver = open_browser()
        try:
            resize(driver, 1280)
            test_start(driver, address)
            test_upload(driver, address, folder)
            test_terms(driver, address)
            test_viewer(driver, address)
            test_grid(driver, address)
            test_library(driver, address)
            test_fit(driver, address, 390)
            # That a query was refused is what the browser itself writes down; the page writes nothing.
            said = [entry["message"] for entry in driver.get_log("browser") if "422 (Unprocessable" not in entry["message"]]
            check("the console is silent", not said, said)
            if arguments.screenshots:
                shoot(address, arguments.screenshots)
        finally:
            driver.quit()
            process.send_signal(signal.SIGTERM)
            check("the server ends cleanly", process.wait(30) == 0, process.returncode)
            process.stderr.close()
    return 1 if failures() else 0


if __name__ == "__main__":
    sys.exit(main())
