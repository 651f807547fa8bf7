"""The page in a real browser, without network: sorting, curves, weights, small windows."""

import json
import shutil

import pytest

from go4align_plugins.leaderboard import build_report

from .test_formats import make_many, make_report

webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
BROWSER = shutil.which('chromium') or shutil.which('google-chrome')
DRIVER = shutil.which('chromedriver')
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not (BROWSER and DRIVER), reason='no chromium with its chromedriver'),
]
FLAGS = (
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--disable-dev-shm-usage', '--hide-scrollbars',
)  # fmt: skip


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f'--user-data-dir={tmp_path_factory.mktemp("profile")}'):
        options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def show(browser, tmp_path):
    def show(report, width=1280, scheme='light'):
        (path,) = report.write(tmp_path / 'page', ['html'])
        metrics = {'width': width, 'height': 900, 'deviceScaleFactor': 1, 'mobile': False}
        features = {'features': [{'name': 'prefers-color-scheme', 'value': scheme}]}
        browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
        browser.execute_cdp_cmd('Emulation.setEmulatedMedia', features)
        browser.get_log('performance')  # of the page before
        browser.get(path.as_uri())
        return path.as_uri()

    return show


def select(browser, css):
    return browser.find_elements('css selector', css)


def column(browser, index):
    rows = select(browser, 'table:first-of-type tbody:first-of-type tr')
    return [row.find_elements('css selector', 'th, td')[index].text.split('\n')[0] for row in rows]


def width_of(browser):
    return browser.execute_script('return document.documentElement.scrollWidth')


@pytest.mark.parametrize(('width', 'scheme'), [(1280, 'light'), (400, 'dark')])
def test_nothing_overflows_runs_or_is_fetched(browser, show, tmp_path, width, scheme):
    evil = '</script><script>document.title = "run"</script><img src=x onerror="document.title=1">'
    address = show(make_report(tmp_path, evil, best=True), width, scheme)
    assert browser.title == 'streets (rendered) leaderboard'
    assert evil in column(browser, 0)
    assert width_of(browser) <= width
    assert select(browser, '.scroll')[0].size['width'] <= width
    shade = browser.execute_script('return getComputedStyle(document.body).backgroundColor')
    assert shade == {'light': 'rgb(255, 255, 255)', 'dark': 'rgb(22, 24, 28)'}[scheme]
    assert browser.get_log('browser') == []
    messages = [json.loads(line['message'])['message'] for line in browser.get_log('performance')]
    sent = [one['params'] for one in messages if one['method'] == 'Network.requestWillBeSent']
    urls = {params['request']['url'] for params in sent}
    assert {url for url in urls if not url.startswith(('chrome:', 'data:'))} == {address}


def test_heads_sort_by_mouse_and_by_keyboard(browser, show, tmp_path):
    show(make_report(tmp_path))
    assert column(browser, 0) == ['STL', 'EW', 'GO4Align', 'UW']
    heads, buttons = (select(browser, f'thead tr:last-child th{css}') for css in ('', ' button'))
    _, miou, _, abs_err, _, rank, *_ = heads
    buttons[1].click()
    assert miou.get_attribute('aria-sort') == 'descending', 'the best first'
    assert column(browser, 0) == ['GO4Align', 'EW', 'UW', 'STL']
    buttons[1].click()
    assert miou.get_attribute('aria-sort') == 'ascending'
    assert column(browser, 1) == sorted(column(browser, 1), key=float)
    buttons[3].send_keys(webdriver.Keys.ENTER)
    assert miou.get_attribute('aria-sort') == 'none'
    assert abs_err.get_attribute('aria-sort') == 'ascending'
    assert column(browser, 0) == ['UW', 'EW', 'GO4Align', 'STL']
    assert rank.text.startswith('MR')
    for _ in range(2):
        buttons[5].click()
        assert column(browser, 0)[-1] == 'STL', 'without a figure: last'


def test_curves_and_weights_are_drawn(browser, show, tmp_path):
    show(make_report(tmp_path))
    lines = select(browser, '.drawing path[fill=none]')
    assert len(lines) == len(select(browser, '.legend span')) == 4
    before = [line.get_attribute('d') for line in lines]
    browser.find_element('css selector', 'select').send_keys('depth: rel')
    after = [line.get_attribute('d') for line in select(browser, '.drawing path[fill=none]')]
    assert before != after
    assert [head.text for head in select(browser, '.panels h3')] == ['EW', 'GO4Align', 'UW']
    assert len(select(browser, '.panels svg rect:not(.row)')) == 3 * 2 * 3
    (drawing,) = select(browser, '.drawing svg')
    webdriver.ActionChains(browser).move_to_element(drawing).perform()
    assert select(browser, '.readout')[0].text.startswith('Epoch 1, in')


def test_forty_tasks_fit_the_window(browser, show):
    show(build_report(*make_many()), 400)
    assert width_of(browser) <= 400
    assert len(select(browser, 'thead tr:last-child th')) == 1 + 5 + 40
