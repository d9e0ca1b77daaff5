"""Takes the pictures of the dashboard (scripts/pictures)."""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

from lib import browser
from lib.daemon import Daemon
from lib.eight import WORST_FIRST, Eight, blocks
from lib.origin import Origin
from lib.wire import eventually

FOLDER = pathlib.Path(__file__).resolve().parents[2] / 'doc/pictures'
MOST = 400 * 1024      # bytes, of all pictures
WIDE, PHONE = (1280, 1000), (360, 780)
SETTLED = 2.5       # the page is refreshed every second, its charts every five


def take(page, name):
    """A picture of the window, with as few colours as it needs."""
    time.sleep(SETTLED)
    with tempfile.NamedTemporaryFile(suffix='.png') as raw:
        page.screenshot(pathlib.Path(raw.name))
        subprocess.run(['pngquant', '--force', '--strip', '--speed', '1', '--output', FOLDER / f'{name}.png', '48', '--', raw.name], check=True)
    print(f'{(FOLDER / f"{name}.png").stat().st_size:7,} {name}.png')


def states(page, eight):
    """The table in both themes and widths; then, on a desktop, an unfolded card and a question."""
    eventually(lambda: page.run('return [...document.querySelectorAll("#table tbody tr")].map(r => r.dataset.row)') == WORST_FIRST, 30)
    for theme in ('light', 'dark'):
        page.theme(theme)
        for width, size in (('desktop', WIDE), ('phone', PHONE)):
            page.size(*size)
            page.run('scrollTo(0, 0)')
            eight.knock()
            take(page, f'dashboard-{width}-{theme}')
    page.size(*WIDE)
    page.theme('light')
    page.click('[data-row="kraken-futures"] a')
    page.run('document.activeElement.blur()')
    take(page, 'dashboard-card')
    page.click('[data-upstream="kraken-futures"] [data-field="freeze"]')
    page.theme('dark')
    page.size(*PHONE)
    take(page, 'dashboard-question')
    page.click('#no')


def main():
    options = argparse.ArgumentParser()
    options.add_argument('--minutes', type=float, default=5)
    seconds = options.parse_args().minutes * 60
    with tempfile.TemporaryDirectory(prefix='trunkline-pictures.') as folder, Origin() as origin:
        folder = pathlib.Path(folder)
        daemon = Daemon(*blocks(origin), folder=folder / 'daemon')
        with browser.Chromium(folder / 'chromium') as page:
            eight = Eight(daemon, origin)
            try:
                eight.traffic()
                page.open(daemon.url + '/')
                time.sleep(seconds * .7)
                eight.trouble()
                end = time.monotonic() + seconds * .3
                while time.monotonic() < end:
                    eight.knock()
                    time.sleep(1)
                states(page, eight)
            finally:
                eight.end()
                daemon.stop()
            page.run('scrollTo(0, 0)')
            eventually(lambda: page.run('return !document.getElementById("gone").hidden'), 30)
            take(page, 'dashboard-gone')
            page.open('about:blank')
    total = sum(p.stat().st_size for p in FOLDER.iterdir())
    print(f'{total:7,} of at most {MOST:,} bytes in {FOLDER.name}')
    return total > MOST


if __name__ == '__main__':
    sys.exit(main())
