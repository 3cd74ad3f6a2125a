"""The report of a real run, looked at in a real browser; its data; the model card beside it."""

import json
import math
import os
import pathlib
import re
import shutil
import struct
import subprocess
import zlib

import pytest
import yaml

import browser

ROOT = pathlib.Path(__file__).resolve().parents[2]
COORDINATOR = pathlib.Path(os.environ.get("FLAP_COORD", ROOT / ".build/release/flap-coord"))
MODEL = ROOT / "deploy/demo/model"
# Where to leave the pictures for people; else they go with the test.
PICTURES = os.environ.get("FLAP_PICTURES")

SIZES = {"desktop": (1280, 900, False), "tablet": (820, 1100, False), "phone": (390, 844, True)}


def run(*arguments):
    if not COORDINATOR.exists():
        pytest.skip(f"{COORDINATOR} is not built")
    result = subprocess.run([COORDINATOR, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    """A pruned checkpoint of a model whose name and card would break a careless page."""
    folder = tmp_path_factory.mktemp("report")
    model = folder / "Demo <b>&1"
    shutil.copytree(MODEL, model)
    (model / "README.md").write_text("---\nlicense: apache-2.0\nlanguage:\n- en\n---\n# Demo\n")
    output = folder / "out"
    text = run("--model", model, "--calibration", model / "calibration.npy", "--ratio", "0.4", "--eval",
               model / "test.npy", "--local-workers", "2", "--output", output, "--json", "--quiet")
    return output, json.loads(text)


@pytest.fixture(scope="module")
def best(tmp_path_factory):
    """A checkpoint whose counts were chosen by measured losses."""
    output = tmp_path_factory.mktemp("best") / "out"
    text = run("--method", "best", "--model", MODEL, "--calibration", MODEL / "calibration.npy", "--ratio", "0.4",
               "--eval", MODEL / "test.npy", "--local-workers", "2", "--output", output, "--json", "--quiet")
    return output, json.loads(text)


@pytest.fixture(scope="module")
def ordered(tmp_path_factory):
    """A checkpoint whose units went in the order of removal, without measured losses."""
    output = tmp_path_factory.mktemp("ordered") / "out"
    run("--metric", "OBS", "--model", MODEL, "--calibration", MODEL / "calibration.npy", "--ratio", "0.4",
        "--local-workers", "2", "--output", output, "--quiet")
    return output


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The folder of a comparison of some methods at two ratios."""
    output = tmp_path_factory.mktemp("compared") / "out"
    text = run("compare", "--model", MODEL, "--calibration", MODEL / "calibration.npy", "--eval", MODEL / "test.npy",
               "--ratio", "0.2,0.5", "--methods", "magnitude-sp,flap,least-squares,measured", "--local-workers", "2",
               "--output", output, "--json", "--quiet")
    return output, json.loads(text)


@pytest.fixture(scope="module")
def page(pruned, tmp_path_factory):
    program = browser.find()
    if program is None:
        pytest.skip("no chromium is installed (Debian: chromium)")
    chromium = browser.Browser(program, tmp_path_factory.mktemp("profile"))
    chromium.url = (pruned[0] / "flap/report.html").as_uri()
    yield chromium
    chromium.close()


def pixels(png):
    """Width, height and the rows of an 8-bit PNG without interlacing."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    data, place = b"", 8
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        body = png[place + 8 : place + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert (depth, interlace) == (8, 0) and colour in (2, 6)
        if kind == b"IDAT":
            data += body
        place += length + 12
    step = 3 if colour == 2 else 4
    raw, stride, rows = zlib.decompress(data), width * step, []
    above = bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + stride])
        for x in range(stride if kind else 0):
            left = row[x - step] if x >= step else 0
            corner = above[x - step] if x >= step else 0
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = above[x]
            elif kind == 3:
                guess = (left + above[x]) // 2
            else:
                p = left + above[x] - corner
                guess = min((left, above[x], corner), key=lambda value: abs(p - value))
            row[x] = (row[x] + guess) & 255
        rows.append([bytes(row[x : x + 3]) for x in range(0, stride, step)])
        above = row
    return width, height, rows


def colour(text):
    return bytes.fromhex(text[1:])


def style(name, scheme):
    """A colour of the style sheet."""
    sheet = (ROOT / "Sources/Report/Style/report.css").read_text()
    return colour(re.findall(rf"--{name}: (#[0-9a-f]{{6}})", sheet)[{"light": 0, "dark": 1}[scheme]])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_is_seen(page, size, scheme, tmp_path):
    width, height, phone = SIZES[size]
    page.open(page.url, width, height, scheme, phone=phone)
    folder = pathlib.Path(PICTURES) if PICTURES else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"report-{size}-{scheme}.png").write_bytes(page.screenshot())
    assert page.complaints() == []
    assert [url for url in page.requests() if not url.startswith(("file:", "data:"))] == []
    # Nothing is wider than the screen; tables too wide for a phone scroll by themselves.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("innerWidth") == width
    shown_width, _, rows = pixels(page.screenshot(whole=False))
    assert shown_width == width * (2 if phone else 1)
    seen = {}
    for row in rows[::3]:
        for pixel in row[::3]:
            seen[pixel] = seen.get(pixel, 0) + 1
    assert max(seen, key=seen.get) == style("paper", scheme), "the paper has the colour of the scheme"
    assert len(seen) > 20, "letters are there"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_show_both_kinds(page, scheme):
    page.open(page.url, 1280, 900, scheme)
    for part in ("table.layers", "figure.scores"):
        page.evaluate(f"document.querySelector('{part}').scrollIntoView()")
        found = {pixel for row in pixels(page.screenshot(whole=False))[2][::2] for pixel in row[::2]}
        assert {style("kept", scheme), style("gone", scheme)} <= found, part


# Text that is too pale: relative luminance and contrast as in WCAG 2.2, 1.4.3.
CONTRAST = """
(() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = e => { for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; }
    return [255, 255, 255]; };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), bad = [];
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement, text = texts.currentNode.data.trim();
    if (!text || e.closest('svg') || e.closest('.hidden')) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const contrast = (a + .05) / (b + .05), size = parseFloat(getComputedStyle(e).fontSize);
    if (contrast < 4.5 || size < 11) bad.push([text.slice(0, 40), contrast, size]);
  }
  return bad;
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(page, scheme):
    page.open(page.url, scheme=scheme)
    assert page.evaluate(CONTRAST) == []
    page.open(page.url, scheme=scheme, media="print")
    assert page.evaluate(CONTRAST) == []
    for name in ("kept", "gone"):
        # Pictures need 3 : 1 (1.4.11).
        assert contrast(style(name, scheme), style("paper", scheme)) >= 3


def contrast(one, other):
    def light(pixel):
        parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in pixel]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_does_not_collide(page):
    """Labels of the axes stand beside one another, on any width."""
    for width, height, phone in SIZES.values():
        page.open(page.url, width, height, phone=phone)
        assert page.evaluate("""
          [...document.querySelectorAll('.axis, .side')].flatMap(axis => {
            const boxes = [...axis.querySelectorAll('span')].map(s => s.getBoundingClientRect());
            return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b =>
              a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)).map(b => axis.innerText);
          })""") == []
        assert page.evaluate("""
          [...document.querySelectorAll('.mark, .axis span')].filter(s => {
            const box = s.getBoundingClientRect(); return box.left < 0 || box.right > innerWidth; }).length""") == 0


def test_it_speaks_to_those_who_do_not_see(page):
    page.open(page.url)
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("document.querySelectorAll('h1').length") == 1
    assert page.evaluate("""
      [...document.querySelectorAll('svg')].filter(s => s.getAttribute('role') != 'img' ||
        !s.getAttribute('aria-labelledby').split(' ').every(i => document.getElementById(i)?.textContent)).length""") == 0
    assert page.evaluate("""
      [...document.querySelectorAll('table')].filter(t => !t.caption?.textContent ||
        !t.querySelector('thead th[scope=col]') ||
        [...t.tBodies[0].rows].some(r => !r.querySelector('th[scope=row]'))).length""") == 0
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    images = [n for n in nodes if n.get("role", {}).get("value") in ("image", "img")]
    assert len(images) >= 16 and all(n["name"]["value"] for n in images)


def test_it_prints(page, tmp_path):
    page.open(page.url, scheme="dark", media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.open(page.url, scheme="dark")
    data = page.pdf()
    folder = pathlib.Path(PICTURES) if PICTURES else tmp_path
    (folder / "report.pdf").write_bytes(data)
    assert data.startswith(b"%PDF") and 1 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= 6


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_losses_are_seen(page, best, size, scheme, tmp_path):
    width, height, phone = SIZES[size]
    page.open((best[0] / "flap/report.html").as_uri(), width, height, scheme, phone=phone)
    folder = pathlib.Path(PICTURES) if PICTURES else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    page.evaluate("document.querySelector('table.losses').scrollIntoView()")
    picture = page.screenshot(whole=False)
    (folder / f"losses-{size}-{scheme}.png").write_bytes(picture)
    found = {pixel for row in pixels(picture)[2] for pixel in row}
    assert style("kept", scheme) in found, "lines and dots"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    # Nine dots of five pixels want some room between them.
    assert page.evaluate("""
      [...document.querySelectorAll('.losses svg')].filter(s => s.getBoundingClientRect().width < 72 ||
        !s.querySelector('title').textContent || !s.querySelector('desc').textContent).length""") == 0


def test_losses_are_told(best):
    output, result = best
    html = (output / "flap/report.html").read_text()
    assert html.count('class="loss" viewBox') == 2 * len(result["search"]["kept_groups"])
    predicted = result["search"]["predicted_loss"]
    assert f"the sum over all modules</th><td>{predicted:.4f}</td>" in html
    measured = math.log(result["evaluation"]["pruned"] / result["evaluation"]["dense"])
    assert f"<code>test.npy</code></th><td>{measured:.4f}</td>" in html
    card = (output / "README.md").read_text()
    assert f"| loss, nats per token | {predicted:.4f} | {measured:.4f} |" in card
    assert "; ridge: " in card and 'id="ridges"' in html
    assert "α = 1" in card and "α = 1" in html, "the target of the sequential pass"
    assert "Optimal Brain Surgeon" in card and "metric OBS, structure measured" in card


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_errors_are_seen(page, ordered, size, scheme, tmp_path):
    """An order of removal without losses has pictures of its own."""
    width, height, phone = SIZES[size]
    page.open((ordered / "flap/report.html").as_uri(), width, height, scheme, phone=phone)
    page.evaluate("document.getElementById('errors').scrollIntoView()")
    picture = page.screenshot(whole=False)
    folder = pathlib.Path(PICTURES) if PICTURES else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"errors-{size}-{scheme}.png").write_bytes(picture)
    assert style("gone", scheme) in {pixel for row in pixels(picture)[2] for pixel in row}, "lines"
    assert page.evaluate("document.querySelectorAll('.losses svg').length") == 12
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_comparison_is_seen(page, compared, size, scheme, tmp_path):
    width, height, phone = SIZES[size]
    page.open((compared[0] / "compare.html").as_uri(), width, height, scheme, phone=phone)
    folder = pathlib.Path(PICTURES) if PICTURES else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"compare-{size}-{scheme}.png").write_bytes(page.screenshot())
    assert page.complaints() == []
    assert [url for url in page.requests() if not url.startswith(("file:", "data:"))] == []
    page.evaluate("document.querySelector('figure').scrollIntoView()")
    found = {pixel for row in pixels(page.screenshot(whole=False))[2] for pixel in row}
    assert {style("kept", scheme), style("gone", scheme), style("ink", scheme)} <= found, "lines of all kinds"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    # Names stand beside one another and on the screen, ticks as well.
    assert page.evaluate("""
      [...document.querySelectorAll('.axis, .side, .names')].flatMap(part => {
        const boxes = [...part.querySelectorAll('span')].map(s => s.getBoundingClientRect());
        return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b =>
          a.left < b.right && b.left < a.right && a.top + 1 < b.bottom && b.top + 1 < a.bottom)
        ).map(b => part.innerText).concat(boxes.filter(b => b.left < 0 || b.right > innerWidth).map(b => 'off'));
      })""") == []
    # The picture has some room.
    assert page.evaluate("document.querySelector('figure svg').getBoundingClientRect().width") > 150


def test_a_comparison_is_told(compared):
    output, result = compared
    html = (output / "compare.html").read_text()
    assert json.loads((output / "compare.json").read_text()) == result
    for entry in result["entries"]:
        loss = math.log(entry["perplexity"] / result["dense_perplexity"])
        predicted = entry.get("predicted_loss")
        assert (predicted is not None) == (entry["method"] == "measured")
        shown = "–" if predicted is None else f"{predicted:.4f}"
        assert f"<td>{entry['perplexity']:.4f}</td><td>{loss:.4f}</td><td>{shown}</td>" in html.replace("−", "-")
    assert str(output.parent) not in html and os.uname().nodename not in html


def test_facts(pruned):
    output, result = pruned
    html = (output / "flap/report.html").read_text()
    assert "Demo &lt;b&gt;&amp;1" in html and "Demo <b>" not in html
    for digest in (result["model_digest"], result["data_digest"], result["evaluation"]["data_digest"]):
        assert digest in html
    for shard in result["shards"]:
        assert shard["sha256"] in html
    plan = subprocess.run(["sha256sum", output / "flap/plan.safetensors"], capture_output=True, text=True)
    assert plan.stdout.split()[0] in html
    assert f"{result['evaluation']['pruned']:.4f}" in html
    for kept, dense in zip(result["search"]["kept_groups"], result["search"]["dense_groups"]):
        assert f"<b>{kept}</b> of {dense}" in html
    assert "--ratio 0.4" in html


def test_evaluation_is_that_of_eval(pruned):
    output, result = pruned
    for folder, figure in ((MODEL, "dense"), (output, "pruned")):
        alone = json.loads(run("eval", "--model", folder, "--data", MODEL / "test.npy", "--json", "--quiet"))
        assert alone["perplexity"] == result["evaluation"][figure]
        assert alone["tokens"] == result["evaluation"]["tokens"]


def test_model_card(pruned):
    output, result = pruned
    text = (output / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    card = yaml.safe_load(front)
    assert card["library_name"] == "transformers" and card["pipeline_tag"] == "text-generation"
    assert card["license"] == "apache-2.0" and card["language"] in ("en", ["en"])
    assert {"flap", "pruned"} <= set(card["tags"])
    assert "base_model" not in card, "nobody said what it is called on the hub"
    assert "trust_remote_code=True" in body and "auto_map" in (output / "config.json").read_text()
    assert result["model_digest"] in body and result["data_digest"] in body
    assert f"{result['evaluation']['dense']:.4f}" in body
    # What is published tells no paths and no hosts.
    assert str(output.parent) not in text and os.uname().nodename not in text
    hub = pytest.importorskip("huggingface_hub")
    assert hub.ModelCard(text).data.library_name == "transformers"


def test_card_is_the_same_whoever_works(pruned, tmp_path):
    model = pruned[0].parent / "Demo <b>&1"
    for workers in (1, 3):
        run("--model", model, "--calibration", model / "calibration.npy", "--ratio", "0.4", "--base-model",
            "flap/demo", "--local-workers", workers, "--output", tmp_path / str(workers), "--quiet")
    cards = [(tmp_path / name / "README.md").read_text() for name in ("1", "3")]
    assert cards[0] == cards[1]
    assert yaml.safe_load(cards[0].split("---\n")[1])["base_model"] == "flap/demo"
    assert "was not measured" in cards[0]


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["--base-model", "a b"], "--base-model a b: give the name on the hub"),
        (["--eval", "missing.npy"], "missing.npy"),
    ],
)
def test_bad_input_is_refused_before_the_work(arguments, line, tmp_path):
    result = subprocess.run(
        [COORDINATOR, "--model", MODEL, "--calibration", MODEL / "calibration.npy", "--ratio", "0.4", "--output",
         tmp_path / "out", *arguments], capture_output=True, text=True, timeout=60)
    assert result.returncode != 0 and line in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("shell, check", [("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"])])
def test_completions(shell, check, tmp_path):
    script = run("--generate-completion-script", shell)
    assert "calibrate" in script and "base-model" in script
    if shutil.which(check[0]):
        path = tmp_path / shell
        path.write_text(script)
        subprocess.run([*check, path], check=True, timeout=20)
