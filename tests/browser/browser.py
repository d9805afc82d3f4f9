"""What the tests of pages share: headless Chromium."""
import os
import struct
import subprocess
import sys

try:
    from selenium import webdriver
    from selenium.webdriver.support.ui import WebDriverWait
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    print("skipped: no python3-selenium")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from served import check, end, failures, library, picture, serve  # noqa: E402

__all__ = ["ActionChains", "By", "Keys", "check", "end", "failures", "have_driver", "library", "open_browser", "picture", "resize", "serve", "serve_few", "wait_for"]


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


def wait_for(driver, what):
    """Whether WHAT comes true."""
    try:
        return WebDriverWait(driver, 20, ignored_exceptions=(Exception,)).until(lambda _: what())
    except Exception:
        return False


def serve_few(program, folder, *options):
    """Four pictures that a browser can show, a library of them, and a server: (process, address)."""
    pictures, side = os.path.join(folder, "pictures"), 40
    os.makedirs(pictures, exist_ok=True)
    for i in range(4):
        path = os.path.join(pictures, f"{i}.bmp")
        picture(path, i, side, i)
        with open(path, "r+b") as file:  # as a BMP
            pixels = file.read()[-3 * side * side:]
            file.seek(0)
            file.write(struct.pack("<2sIIIIiiHHIIIIII", b"BM", 54 + len(pixels), 0, 54, 40, side, -side, 1, 24, 0, len(pixels), 0, 0, 0, 0) + pixels)
    made = ["--library", os.path.join(folder, "library")]
    subprocess.run([program, *made, "--quiet", "index", "--model", "colour", pictures], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return serve(program, made, *options)
