"""What the tests of pages share: headless Chromium, checks of one line each, and made pictures."""
import os
import random
import sys

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    print("skipped: no python3-selenium")
    sys.exit(77)

__all__ = ["By", "Keys", "check", "failures", "have_driver", "open_browser", "picture", "resize"]
failed = 0


def check(name, right, why=""):
    global failed
    print(f"ok {name}" if right else f"FAILED {name}: {why}", flush=True)
    failed += not right


def failures():
    return failed


def have_driver():
    if not os.path.exists("/usr/bin/chromedriver"):
        print("skipped: no chromium-driver")
        sys.exit(77)


def open_browser(dark=False):
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    if dark:
        options.add_argument("--force-dark-mode")
        options.add_argument("--blink-settings=preferredColorScheme=0")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    driver.set_page_load_timeout(60)
    return driver


def resize(driver, width, height=900):
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})


def picture(path, label, size, noise):
    """A PNM: a gradient and a block whose colours and place are the label's."""
    lot, own = random.Random(label), random.Random(noise)
    a, b, c = ([lot.randrange(256) for _ in range(3)] for _ in range(3))
    x0, y0 = lot.randrange(size // 2), lot.randrange(size // 2)
    rows = bytearray()
    for y in range(size):
        for x in range(size):
            inside = x0 <= x < x0 + size // 3 and y0 <= y < y0 + size // 3
            for i in range(3):
                value = c[i] if inside else (a[i] * x + b[i] * (size - x)) // size
                rows.append(max(0, min(255, value + own.randrange(-20, 21))))
    with open(path, "wb") as out:
        out.write(b"P6 %d %d 255\n" % (size, size) + rows)
