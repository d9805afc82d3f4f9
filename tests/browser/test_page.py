#!/usr/bin/env python3
"""Drives the page of `memelens serve` in headless Chromium, as a person with a mouse, a keyboard or a phone would.

usage: test_page.py PROGRAM [--screenshots DIR] [--address http://…]

Makes pictures, indexes them, serves them and tests. With --address it takes pictures of a server that runs already instead. One line a check;
exit 1 when one failed, 77 when there is no Chromium, driver or selenium (Debian: chromium, chromium-driver, python3-selenium).
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

from browser import ActionChains, By, Keys, check, end, failures, have_driver, library, open_browser, resize, serve

COUNT = 400
LONG = "an old lighthouse of white stone, and " * 40 + "that is all"
CAPTIONS = (("label1/3.ppm", LONG), ("label2/4.ppm", "on the way home, long after sunset, we passed the lighthouse again"),
            ("label3/5.ppm", "منارة قديمة على شاطئ البحر"), ("label4/6.ppm", "海边的一座白色灯塔"), ("label5/7.ppm", "<b>bold</b> & nothing else"))


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


def press(driver, *keys):
    ActionChains(driver).send_keys(*keys).perform()


def focused(driver, what):
    """What the script WHAT says of the element that has the focus, E."""
    return driver.execute_script(f"const e = document.activeElement; return {what}")


def action(driver, text):
    """Presses the button TEXT of the large view."""
    next(button for button in driver.find_elements(By.CSS_SELECTOR, ".actions button") if button.text == text).click()


def tiles(driver):
    return driver.find_elements(By.CSS_SELECTOR, ".tile")


def places(driver):
    """Which of the results those tiles are. In one step: a tile may leave the document at each frame."""
    return driver.execute_script("return [...document.querySelectorAll('.tile')].map(tile => +tile.dataset.index)")


def full_walls(driver):
    """How many walls have their tiles."""
    return sum(len(wall.find_elements(By.CSS_SELECTOR, ".tile")) > 4 for wall in driver.find_elements(By.CSS_SELECTOR, ".wall"))


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


def test_folder(driver, address, folder):
    """A folder that is dropped as if it were a picture."""
    driver.get(address)
    until(lambda: one(driver, ".sample.picture"))
    dragged = {"items": [], "files": [os.path.join(folder, "pictures")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        driver.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, "x": 500, "y": 400, "data": dragged})
    check("a folder that is dropped is told as that", until(lambda: "it is a folder" in one(driver, "body > .notices").text), one(driver, "body > .notices").text)


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
    field.send_keys("lighthouse", Keys.ENTER)
    check("words find what is said about pictures", until(lambda: len(tiles(driver)) == 2), one(driver, "main").text)
    driver.get(address + "?q=t:lighthouse&by=look")
    check("words for the look that no model knows: a kind sentence", until(lambda: driver.find_elements(By.CSS_SELECTOR, ".state") and "knows pictures, not words" in one(driver, ".state").text),
          one(driver, "main").text)
    return first


# How many tiles lie over another one, or have a text that is not one line below the picture, which is a square.
ASKEW = """
const boxes = [...document.querySelectorAll('.place')].map(place => place.getBoundingClientRect());
const over = boxes.filter((a, i) => boxes.some((b, j) => i !== j && a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1));
const texts = [...document.querySelectorAll('.place')].filter(place => place.querySelector('.snippet')).filter(place => {
  const text = place.querySelector('.snippet').getBoundingClientRect(), tile = place.querySelector('.tile').getBoundingClientRect(), box = place.getBoundingClientRect();
  return text.top < tile.bottom - 1 || text.bottom > box.bottom + 1 || text.right > box.right + 1 || text.height > 32 || Math.abs(tile.height - tile.width) > 2;
});
return over.length + texts.length;
"""


def test_words(driver, address):
    driver.get(address + "?q=t:old+lighthouse&q=id*0.2:5")
    until(lambda: len(tiles(driver)) > 20)
    check("among others, those that were found by their text have it below them", until(lambda: len(driver.find_elements(By.CSS_SELECTOR, ".snippet")) == 2))
    check("and lie over no other", driver.execute_script(ASKEW) == 0, driver.execute_script(ASKEW))
    driver.get(address + "?q=t:old+lighthouse")
    until(lambda: len(tiles(driver)) == 2)
    marks = [[mark.text for mark in snippet.find_elements(By.TAG_NAME, "mark")] for snippet in driver.find_elements(By.CSS_SELECTOR, ".snippet")]
    check("the words are marked", marks[0][:2] == ["old", "lighthouse"] and marks[1] == ["lighthouse"], marks)
    cut = "const e = document.querySelectorAll('.snippet mark'), m = e[e.length - 1].getBoundingClientRect(); return m.right <= e[e.length - 1].parentNode.getBoundingClientRect().right"
    check("and in sight, wherever they stand", driver.execute_script(cut), driver.find_elements(By.CSS_SELECTOR, ".snippet")[1].text)
    check("a tile tells its text to those who hear it", "old lighthouse" in tiles(driver)[0].get_attribute("aria-label"), tiles(driver)[0].get_attribute("aria-label"))
    check("one way alone is no choice", not one(driver, "#ways").is_displayed())
    one(driver, ".snippet").click()
    check("a click on the text opens it large, with all that is written", until(lambda: dialog_open(driver) and one(driver, ".texts").text == LONG), one(driver, "#viewer").text)
    check("and the way that found it", "text #1" in one(driver, "#viewer dl").text, one(driver, "#viewer dl").text)
    scrolls = "const e = document.querySelector('.texts'); return e.scrollHeight > e.clientHeight && e.clientHeight < innerHeight / 2"
    check("a long text leaves room for the rest", driver.execute_script(scrolls))
    selected = "getSelection().selectAllChildren(document.querySelector('.texts p')); return getSelection().toString()"
    check("it can be selected", "white stone" in driver.execute_script(selected), driver.execute_script(selected))
    driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    check("the next one has its own", until(lambda: "sunset" in one(driver, ".texts").text), one(driver, ".texts").text)
    for word, text, way in (("منارة", CAPTIONS[2][1], "rtl"), ("灯塔", CAPTIONS[3][1], "ltr")):
        driver.get(address + "?q=t:" + word)
        until(lambda: tiles(driver))
        direction = "return getComputedStyle(document.querySelector(arguments[0])).direction"
        check(f"{word} is found and marked", until(lambda: [mark.text for mark in driver.find_elements(By.CSS_SELECTOR, ".snippet mark")] == [word]), one(driver, ".snippet").text)
        check("in its direction", driver.execute_script(direction, ".snippet") == way)
        tiles(driver)[0].click()
        check("in the large view too", until(lambda: one(driver, ".texts").text == text) and driver.execute_script(direction, ".texts p") == way, one(driver, ".texts").text)
    driver.get(address + "?q=t:bold")
    until(lambda: tiles(driver))
    tiles(driver)[0].click()
    check("a text is text", until(lambda: one(driver, ".texts").text == CAPTIONS[4][1]) and not driver.find_elements(By.CSS_SELECTOR, ".texts b, .snippet b"), one(driver, ".texts").text)
    driver.get(address + "?q=id:5&open=5")
    until(lambda: dialog_open(driver))
    check("a picture about which nothing is written has no place for it", not one(driver, ".texts").is_displayed())


# A server that says that words find pictures by their look as well.
LOOKS = """
const asked = window.fetch;
window.fetch = async (path, options) => {
  const answer = await asked(path, options);
  return path === '/api/status' ? new Response(JSON.stringify({...await answer.json(), by: ['look', 'text']}), answer) : answer;
};
"""


def test_ways(driver, address):
    script = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": LOOKS})["identifier"]
    driver.get(address + "?q=id:5")
    until(lambda: len(tiles(driver)) > 5)
    check("pictures go one way", not one(driver, "#ways").is_displayed())
    driver.get(address + "?q=t:lighthouse&by=look")
    ways = until(lambda: [label.text for label in driver.find_elements(By.CSS_SELECTOR, "#ways label")] if one(driver, "#ways").is_displayed() else None)
    check("several ways are a choice", ways == ["All", "Look", "Text"], ways)
    driver.find_elements(By.CSS_SELECTOR, "#ways label")[2].click()
    check("which is in the address", until(lambda: "by=text" in driver.current_url and len(tiles(driver)) == 2), driver.current_url)
    press(driver, Keys.ARROW_RIGHT)
    check("and can be made with the keyboard", until(lambda: "by=" not in driver.current_url and len(tiles(driver)) == 2), driver.current_url)
    check("which keeps the focus", focused(driver, "e.name + e.value") == "way", focused(driver, "e.outerHTML.slice(0, 100)"))
    driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})


# A server that knows all ways.
ALL_WAYS = LOOKS.replace("'text']", "'text', 'meaning']")


def test_narrow(driver, address):
    script = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": ALL_WAYS})["identifier"]
    resize(driver, 320)
    driver.get(address + "?q=t:lighthouse&by=text")
    until(lambda: one(driver, "#ways").is_displayed())
    heights = driver.execute_script("return [...document.querySelectorAll('#ways span')].map(way => way.offsetHeight)")
    check("on a narrow page no way is cut into letters", len(heights) == 4 and max(heights) < 40, heights)
    resize(driver, 1280)
    driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})


def test_high_contrast(driver, address):
    """With colours of the reader's own, which take the place of all backgrounds."""
    script = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": ALL_WAYS})["identifier"]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "forced-colors", "value": "active"}]})
    driver.get(address + "?q=t:lighthouse&by=text")
    until(lambda: one(driver, "#ways").is_displayed())
    grounds = driver.execute_script("return [...document.querySelectorAll('#ways span')].map(way => getComputedStyle(way).backgroundColor)")
    check("the way that is chosen is seen in the reader's own colours", len(set(grounds)) == 2 and grounds.count(grounds[2]) == 1, grounds)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})


def test_filters(driver, address):
    driver.get(address + "?q=t:lighthouse&size=..43&type=pnm&label=label1")
    check("size, type and folder narrow", until(lambda: len(tiles(driver)) == 1), one(driver, "main").text)
    values = [one(driver, f"#{name}").get_attribute("value") for name in ("size-from", "size-to", "type", "label")]
    check("and stand in their fields", values == ["", "43", "pnm", "label1"], values)
    one(driver, "#clear").click()
    check("they are cleared together", until(lambda: len(tiles(driver)) == 2 and "size" not in driver.current_url and "type" not in driver.current_url), driver.current_url)
    driver.execute_script("for (const [id, value] of [['size-from', 44], ['type', 'pnm'], ['label', 'label2']]) { const e = document.getElementById(id); e.value = value; e.dispatchEvent(new Event('change')); }")
    check("what is entered is in the address", until(lambda: all(part in driver.current_url for part in ("size=44..", "type=pnm", "label=label2"))), driver.current_url)
    check("and narrows", until(lambda: len(tiles(driver)) == 1 and "sunset" in tiles(driver)[0].get_attribute("aria-label")), one(driver, "main").text)


# An explanation that comes when the test lets it.
SLOW_WHY = """
const asked = window.fetch;
window.fetch = (path, options) => path.includes('/explain?') ? new Promise(come => { window.comeWhy = () => come(asked(path, options)); }) : asked(path, options);
"""


def test_viewer(driver, address):
    driver.get(address + "?q=id:5")
    until(lambda: len(tiles(driver)) > 5)
    tiles(driver)[0].click()
    check("a click opens it large", until(lambda: dialog_open(driver) and one(driver, "#viewer figure img").size["width"] >= 40))
    name = one(driver, "#viewer h2").text
    driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    check("the arrow goes on", until(lambda: one(driver, "#viewer h2").text != name))
    driver.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    check("and back", until(lambda: one(driver, "#viewer h2").text == name))
    check("path, size and score are said", all(word in one(driver, "#viewer dl").text for word in ("Score", "Size", "Path")), one(driver, "#viewer dl").text)
    action(driver, "What the encoder saw")
    check("what the encoder saw", until(lambda: "The encoder saw" in one(driver, ".more").text), one(driver, ".more").text)
    action(driver, "Why?")
    check("why it came up, as a picture and a sentence", until(lambda: driver.find_elements(By.CSS_SELECTOR, ".more img") and "Score" in one(driver, ".more p").text),
          one(driver, ".more").text)
    driver.execute_script(SLOW_WHY)
    action(driver, "Why?")
    action(driver, "What the encoder saw")
    until(lambda: "The encoder saw" in one(driver, ".more").text)
    driver.execute_script("comeWhy()")
    time.sleep(0.5)
    check("what was asked for last is what stays", "The encoder saw" in one(driver, ".more").text, one(driver, ".more").text)
    action(driver, "Copy path")
    check("what is said is said inside the large view, not under it", until(lambda: one(driver, "#viewer [role=status]").text), one(driver, "body").text)
    check("the first picture has none before it", not one(driver, ".previous").is_enabled() and one(driver, ".next").is_enabled())
    driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    check("Escape closes", until(lambda: not dialog_open(driver)))
    check("and the focus is at the tile", until(lambda: driver.switch_to.active_element.get_attribute("class") == "tile"))
    driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    check("arrows walk along the tiles", driver.switch_to.active_element.get_attribute("data-index") == "1")
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    until(lambda: dialog_open(driver))
    one(driver, ".actions .primary").click()
    check("more like this", until(lambda: not dialog_open(driver) and len(chips(driver)) == 1 and not asks_for(driver, 5)), driver.current_url)
    check("and the focus is at the results", focused(driver, "e.id") == "results", focused(driver, "e.outerHTML.slice(0, 100)"))
    driver.back()
    check("and back again", until(lambda: asks_for(driver, 5) and dialog_open(driver)), driver.current_url)
    before = driver.current_window_handle
    driver.switch_to.new_window("tab") # a browser counts no more than fifty entries of one
    driver.get(address + "?q=id:5")
    until(lambda: len(tiles(driver)) > 5)
    entries = driver.execute_script("return history.length")
    for i in range(3):
        until(lambda: tiles(driver)[i].click() or True)
        until(lambda: dialog_open(driver))
        one(driver, "#viewer .close").click()
        until(lambda: not dialog_open(driver))
    entries = driver.execute_script("return history.length") - entries
    check("pictures that were looked at are one step back together", entries == 1, entries)
    # Who comes by an address that shows one, and looks at another, gets back from it to the results, not to where they came from.
    driver.get(address + "?q=id:9")
    driver.get(address + "?q=id:5&open=5")
    until(lambda: dialog_open(driver)) and one(driver, "#viewer .close").click()
    until(lambda: not dialog_open(driver) and len(tiles(driver)) > 5)
    until(lambda: tiles(driver)[1].click() or True)
    until(lambda: dialog_open(driver))
    one(driver, ".next").click()
    driver.back()
    check("back from a picture leads to the results", until(lambda: asks_for(driver, 5) and not dialog_open(driver), 5), driver.current_url)
    driver.close()
    driver.switch_to.window(before)
    driver.get(address + "?q=id:5&q=id:9&open=5")
    whys = until(lambda: [button.text for button in driver.find_elements(By.CSS_SELECTOR, ".actions .why")])
    check("each of several terms has its why", whys and len(whys) == 2 and all(".ppm" in text for text in whys), whys)


def test_grid(driver, address):
    driver.get(address + "?q=id:5")
    until(lambda: len(tiles(driver)) > 5)
    seen = set()

    def last_comes():
        driver.execute_script("scrollTo(0, document.documentElement.scrollHeight)")
        seen.update(places(driver))
        return COUNT - 1 in seen

    check("scrolling reaches the last picture", until(last_comes, 60), max(seen, default=-1))
    check("but few are in the document", len(tiles(driver)) < COUNT / 2, len(tiles(driver)))
    one(driver, "#fold").click()
    check("folding shows what stands for several", until(lambda: driver.find_elements(By.CSS_SELECTOR, ".copies")))
    check("and is in the address", "fold=1" in driver.current_url)

    # Down, up and down again: what comes back into the document comes back to its place in the order of the Tab key.
    driver.get(address + "?q=id:5")
    until(lambda: len(tiles(driver)) > 5)
    for y in (2500, 0, 1200, 400):
        driver.execute_script("scrollTo(0, arguments[0])", y)
        time.sleep(0.15)
    order = places(driver)
    check("the tiles are in their order", order == sorted(order), order)
    driver.get(address + "?q=id:5&path=no*where")
    check("nothing, because of the filters", until(lambda: "filters" in one(driver, ".state").text), one(driver, "main").text)
    one(driver, ".state button").click()
    check("which can be cleared", until(lambda: len(tiles(driver)) > 5 and "path=" not in driver.current_url), driver.current_url)


def test_focus(driver, address):
    driver.get(address + "?q=id:5&q=id:9")
    until(lambda: len(tiles(driver)) > 5)
    check("a chip has the picture's name", until(lambda: one(driver, ".chip .label").text.endswith(".ppm")), one(driver, ".chip").text)
    driver.execute_script("document.querySelector('.chip input').focus()")
    before = driver.execute_script("return history.length")
    press(driver, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    check("a slider steps", until(lambda: "id*1.3%3A5" in driver.current_url), driver.current_url)
    check("and keeps the focus", focused(driver, "e === document.querySelector('.chip input')"), focused(driver, "e.outerHTML.slice(0, 100)"))
    check("and its steps are one step back", driver.execute_script("return history.length") == before + 1, driver.execute_script("return history.length") - before)
    one(driver, ".chip .sign").click()
    until(lambda: driver.find_elements(By.CSS_SELECTOR, ".chip.minus"))
    check("so does a sign", focused(driver, "e.className") == "sign", focused(driver, "e.outerHTML.slice(0, 100)"))
    one(driver, ".chip .remove").click()
    until(lambda: len(chips(driver)) == 1)
    check("a chip that goes gives it to the next", focused(driver, "e.className") == "remove", focused(driver, "e.outerHTML.slice(0, 100)"))
    one(driver, ".chip .remove").click()
    until(lambda: not chips(driver))
    check("the last one to the words", focused(driver, "e.id") == "words", focused(driver, "e.outerHTML.slice(0, 100)"))
    driver.get(address + "?q=id:5")
    until(lambda: len(tiles(driver)) > 5)
    until(lambda: one(driver, "#compare").is_displayed()) # once the models are known
    driver.execute_script("document.querySelector('#words').focus()")
    order = ["words"]
    while len(order) < 20 and order[-1] != "tile 0":
        press(driver, Keys.TAB)
        order.append(focused(driver, "e.id || (e.className + ' ' + (e.dataset.index ?? '')).trim() || e.tagName"))
    check("the Tab key goes through the head to the first result", order == ["words", "primary", "file", "to-library", "sign", "INPUT", "remove", "fold", "model", "compare", "SUMMARY", "tile 0"]
          or order == ["words", "primary", "file", "photo", "to-library", "sign", "INPUT", "remove", "fold", "model", "compare", "SUMMARY", "tile 0"], order)


def test_names(driver, address):
    """Whatever can be focused has a name for those who hear the page."""
    for query in ("", "?q=id:5&q=id*-0.5:9", "?q=id:5&compare=colour@pad", "?view=library", "?q=id:5&open=6", "?q=t:lighthouse&by=look&size=1..", "?q=t:old+lighthouse&open=5"):
        driver.get(address + query)
        time.sleep(0.6)
        tree = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        bare = [node["role"]["value"] for node in tree if not node.get("ignored") and not node.get("name", {}).get("value")
                and any(p["name"] == "focusable" and p["value"]["value"] for p in node.get("properties", ())) and node["role"]["value"] not in ("main", "RootWebArea", "dialog")]
        check(f"all that can be focused has a name: {query or 'start'}", len(tree) > 20 and not bare, bare)


def test_two_models(driver, address):
    driver.get(address + "?q=id:5&compare=colour@pad")
    until(lambda: full_walls(driver) == 2 and " ms" in driver.find_elements(By.CSS_SELECTOR, ".answer .fine")[1].text)
    heads = [head.text for head in driver.find_elements(By.CSS_SELECTOR, ".answer h2")]
    check("two walls are headed by their models", heads == ["colour", "colour@pad"], heads)
    for model, wall in zip(heads, driver.find_elements(By.CSS_SELECTOR, ".wall")):
        wall.find_element(By.CSS_SELECTOR, ".tile").click()
        until(lambda: dialog_open(driver))
        action(driver, "Why?")
        said = until(lambda: [fine.text for fine in driver.find_elements(By.CSS_SELECTOR, ".more .fine")])
        check(f"why, of a picture on the wall of {model}, asks that model", said and f" {model}:" in said[0], said)
        one(driver, "#viewer .close").click()
        until(lambda: not dialog_open(driver))


# The stream of events in the hands of the test.
STREAM = """
window.streams = [];
window.EventSource = class extends EventTarget {
  constructor() { super(); this.closed = false; streams.push(this); }
  close() { this.closed = true; }
  tell(name, data) { this.dispatchEvent(new MessageEvent(name, {data: JSON.stringify(data)})); }
};
"""


def test_events(driver, address):
    script = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": STREAM})["identifier"]
    driver.get(address + "?view=library")
    until(lambda: one(driver, ".library"))
    tell = "streams.at(-1).tell(arguments[0], arguments[1])"
    driver.execute_script(tell, "progress", {"running": True, "done": 3, "total": 12, "run": 1})
    check("a run under way has a bar", one(driver, "#progress").is_displayed() and "3 of 12" in one(driver, "#progress").text and one(driver, ".track").get_attribute("aria-valuenow") == "25")
    driver.execute_script(tell, "done", {"ok": False, "reason": "no space left on the disk", "indexed": 0, "watched": False})
    check("a run that failed says so and why", "no space left" in one(driver, "body > .notices > [role=alert]").text and not one(driver, "#progress").is_displayed(), one(driver, ".notices").text)
    one(driver, ".notices button").click()
    check("until it is dismissed", not one(driver, "body > .notices > [role=alert]").text)
    driver.execute_script(tell, "done", {"ok": True, "indexed": 2, "watched": False})
    check("a run that did not is no alarm", "2 indexed" in one(driver, "body > .notices > [role=status]").text and not one(driver, "body > .notices > [role=alert]").text)
    driver.execute_script(tell, "progress", {"running": True, "doing": "reading", "done": 4, "total": 16, "run": 1})
    check("that pictures are read is told as that", "Reading: 4 of 16" in one(driver, "#progress").text, one(driver, "#progress").text)
    driver.execute_script(tell, "done", {"ok": True, "doing": "reading", "read": 16, "with_text": 5, "watched": False})
    check("and how it ended", "Read 16 pictures, 5 with text" in one(driver, "body > .notices > [role=status]").text and not one(driver, "#progress").is_displayed(), one(driver, ".notices").text)
    driver.execute_script(tell, "done", {"ok": False, "doing": "reading", "reason": "no tesseract", "watched": False})
    check("or that it cannot be done", "Reading failed: no tesseract" in one(driver, "body > .notices > [role=alert]").text, one(driver, ".notices").text)
    until(lambda: one(driver, "#failed").send_keys("brok") or True)
    driver.execute_script(tell, "done", {"ok": True, "indexed": 3, "watched": True})
    time.sleep(0.5)
    check("what is typed outlasts the news", one(driver, "#failed").get_attribute("value") == "brok" and focused(driver, "e.id") == "failed", focused(driver, "e.outerHTML.slice(0, 100)"))
    hide = "Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true}); document.dispatchEvent(new Event('visibilitychange'))"
    driver.execute_script(hide, True)
    check("a page that nobody sees lets go of the stream", driver.execute_script("return streams.length === 1 && streams[0].closed"))
    driver.execute_script(hide, False)
    check("and takes it up again", driver.execute_script("return streams.length === 2 && !streams[1].closed"))
    driver.execute_script("streams.at(-1).readyState = 2; streams.at(-1).dispatchEvent(new Event('error'))")
    check("and when a server that ends has closed it", until(lambda: driver.execute_script("return streams.length === 3 && streams[1].closed && !streams[2].closed")),
          driver.execute_script("return streams.length"))
    driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})


# Answers about the status, which come when the test lets them, and in its order.
STATUS = """
window.held = [];
const asked = window.fetch;
window.fetch = async (path, options) => {
  if (path !== '/api/status') return asked(path, options);
  const change = await new Promise((come, fail) => held.push({come, fail}));
  return new Response(JSON.stringify({...await (await asked(path, options)).json(), ...change}));
};
"""


def test_order(driver, address):
    script = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": STATUS + STREAM})["identifier"]
    driver.get(address)
    until(lambda: driver.execute_script("return held.length") == 2)
    one(driver, "#words").send_keys("lighthouse", Keys.ENTER)
    until(lambda: len(tiles(driver)) == 2)
    driver.execute_script("held.forEach(({fail}) => fail(new TypeError('away')))")
    time.sleep(0.5)
    check("what failed before is not told in place of results", len(tiles(driver)) == 2, one(driver, "main").text)
    held, let_come = "return held.length", "held.splice(0).forEach(({come}, i) => come({pictures: arguments[0] + i}))"
    driver.get(address + "?view=library")
    until(lambda: driver.execute_script(held) == 2)
    driver.execute_script(let_come, 0)
    until(lambda: one(driver, ".library"))
    driver.execute_script("for (let i = 0; i < 2; i++) streams.at(-1).tell('done', {ok: true, indexed: 1, watched: true})")
    for first in (0, 221): # each is told by a status of its own
        until(lambda: driver.execute_script(held) == 2)
        driver.execute_script(let_come, first)
    check("of two answers the later one counts", until(lambda: "222 pictures are in" in one(driver, "main").text), one(driver, "main").text[:100])
    driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})
    driver.get(address + "?view=nowhere")
    check("a view that there is none of is the beginning", until(lambda: driver.find_elements(By.CSS_SELECTOR, ".sample.picture")), one(driver, "main").text)


def test_phone(driver, address):
    resize(driver, 390, 844)
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    driver.get(address + "?q=id:5&compare=colour@pad")
    until(lambda: full_walls(driver) == 2)
    lefts = {round(place.location["x"]) for place in driver.find_elements(By.CSS_SELECTOR, ".place")}
    check("on a phone two models are two columns", len(lefts) == 2, lefts)
    driver.get(address + "?q=id:5&open=6")
    until(lambda: dialog_open(driver))
    time.sleep(0.3)
    where = "const r = document.querySelector(arguments[0]).getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight && r.right <= innerWidth && r.width >= 40 && r.height >= 40"
    check("and the large view can be closed without scrolling", driver.execute_script(where, "#viewer .close"))
    inside = "const r = s => document.querySelector(s).getBoundingClientRect(); return r('.next').bottom <= r('.stage').bottom && r('.next').right <= innerWidth"
    check("its arrows lie on the picture", driver.execute_script(inside))
    resize(driver, 390, 420) # so that there is something to scroll
    driver.execute_script("document.querySelector('#viewer').scrollTop = 9999")
    check("nor after it", driver.execute_script(where, "#viewer .close"))
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    resize(driver, 1280)


def test_library(driver, address):
    driver.get(address)
    until(lambda: one(driver, "#to-library")).click()
    check("why can't I find it: the folders", until(lambda: "pictures" in one(driver, "main").text and "Is its folder in?" in one(driver, "main").text))
    apart = "return getComputedStyle(document.querySelector('.failures b')).unicodeBidi"
    check("whose words no name turns round", driver.execute_script(apart) == "isolate", driver.execute_script(apart))
    check("and what could not be opened, with the reason", "broken.jpg" in one(driver, ".failures").text, one(driver, "main").text)
    known = one(driver, ".library td:nth-child(2)").text.split(" of ") # copies of a picture count once here
    check("and how many of the different pictures the model knows", len(known) == 2 and known[0] == known[1], known)
    until(lambda: one(driver, ".library .primary")).click()
    check("looking again says how it ended", until(lambda: re.search("Nothing is new|Done", one(driver, ".notices").text)), one(driver, ".notices").text)
    check("and the focus stays", until(lambda: focused(driver, "e.id") == "again"), focused(driver, "e.outerHTML.slice(0, 100)"))
    check("which words there are to be found", "5 captions" in one(driver, "main").text and "by what is written in them" in one(driver, "main").text, one(driver, "main").text)
    until(lambda: one(driver, "#read").click() or True)
    ended = until(lambda: re.search("Read [0-9]+ pictures|Reading failed: .*tesseract", one(driver, ".notices").text), 120)
    check("pictures are read for who asks, or why not is said", ended, one(driver, ".notices").text)
    if ended and ended.group(0).startswith("Read "):
        check("and how many were is told then", until(lambda: "searched for text" in one(driver, "main").text), one(driver, "main").text)


def test_fit(driver, address, width):
    driver.get(address + "?q=t:old+lighthouse")
    until(lambda: tiles(driver))
    tiles(driver)[0].click()
    long = until(lambda: re.search("open=([0-9]+)", driver.current_url)).group(1)
    resize(driver, width)
    for query in ("", "?q=id:5&q=id*-0.5:9", "?view=library", "?q=id:5&open=6", "?q=t:" + 30 * "long" + "&path=x&min=0.5", "?q=id:5&compare=colour@pad", "?q=t:old+lighthouse&by=text&size=1..",
                  f"?q=t:old+lighthouse&open={long}"):
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
        process, address = serve(program, library(program, folder, COUNT, ("colour", "colour@pad"), CAPTIONS))
        driver = open_browser()
        try:
            resize(driver, 1280)
            test_start(driver, address)
            test_upload(driver, address, folder)
            test_folder(driver, address, folder)
            test_terms(driver, address)
            test_words(driver, address)
            test_ways(driver, address)
            test_narrow(driver, address)
            test_high_contrast(driver, address)
            test_filters(driver, address)
            test_viewer(driver, address)
            test_grid(driver, address)
            test_focus(driver, address)
            test_names(driver, address)
            test_two_models(driver, address)
            test_library(driver, address)
            test_events(driver, address)
            test_order(driver, address)
            for width in (390, 320):
                test_fit(driver, address, width)
            test_phone(driver, address)
            # That a query was refused is what the browser itself writes down; the page writes nothing.
            said = [entry["message"] for entry in driver.get_log("browser") if "422 (Unprocessable" not in entry["message"]]
            check("the console is silent", not said, said)
            if arguments.screenshots:
                shoot(address, arguments.screenshots)
        finally:
            driver.quit()
            end(process)
    return 1 if failures() else 0


if __name__ == "__main__":
    sys.exit(main())
