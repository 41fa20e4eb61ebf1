"""A visit to a page of the book in a real browser, and what is measured inside of the page."""

from urllib.parse import urlsplit

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

# The contrast (WCAG 2.1) of every piece of text in the article with what lies behind it; the worst first.
CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const read = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) =>
    0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = read(getComputedStyle(element).backgroundColor);
      if (colour[3] > 0.5) return colour;
    }
    return [255, 255, 255, 1];
  };
  const found = [];
  for (const element of document.querySelectorAll(".bd-article *")) {
    const own = [...element.childNodes].filter((n) => n.nodeType === 3 && n.data.trim());
    const style = getComputedStyle(element);
    if (!own.length || !element.checkVisibility() || style.opacity < 1) continue;
    if (element.closest("svg, .headerlink")) continue;
    const [a, b] = [light(read(style.color)), light(behind(element))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), element.outerHTML.slice(0, 120)]);
  }
  return found.sort((x, y) => x[0] - y[0]).slice(0, 5);
}"""

# Everything that a mouse can use, marked with a number of its own.
NUMBERED = """() => {
  const all = "a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']";
  const usable = [...document.querySelectorAll(all)].filter((e) =>
    e.checkVisibility({checkOpacity: false, checkVisibilityCSS: true}) && !e.disabled && e.tabIndex >= 0
    && !e.closest("dialog:not([open]), [inert], svg") && e.getClientRects().length
    && getComputedStyle(e).opacity !== "0");
  usable.forEach((element, number) => { element.dataset.courseNumber = number; });
  return usable.map((element) => element.outerHTML.slice(0, 150));
}"""

FOCUSED = """() => {
  const element = document.activeElement;
  const style = getComputedStyle(element), box = element.getBoundingClientRect();
  return {
    number: element.dataset.courseNumber ?? null,
    ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    visible: box.width > 0 && box.height > 0,
    what: element.outerHTML.slice(0, 150),
  };
}"""


# The colours that the figures draw in, and the one of the text.
INKS = """() => {
  const figures = [...document.querySelectorAll(".bd-article svg[aria-label]")];
  const shown = figures.filter((figure) => figure.checkVisibility());
  const colour = (element) => getComputedStyle(element).color;
  return [shown.map(colour), colour(document.querySelector(".bd-article p"))];
}"""

# How wide the page is, and what of the article stands out to the right.
SIDEWAYS = """() => {
  const out = [...document.querySelectorAll(".bd-article *")]
    .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest("svg"));
  return [document.documentElement.scrollWidth, out.map((e) => e.outerHTML.slice(0, 100)).slice(0, 3)];
}"""


class Visit:
    """An opened page, what it complained about, and what it asked of other machines."""

    def __init__(self, browser, address, viewport=DESK, theme="light"):
        self.address = address
        self.context = browser.new_context(viewport=viewport, color_scheme=theme, reduced_motion="reduce")
        self.complaints: list[str] = []
        self.outside: list[str] = []
        self.context.route("**/*", self.guard)
        self.page = self.context.new_page()
        self.page.on("console", self.listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def guard(self, route):
        if urlsplit(route.request.url).hostname == "127.0.0.1" or route.request.url.startswith(
            ("data:", "blob:")
        ):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def listen(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, name, fragment=""):
        self.page.goto(f"{self.address}/{name}.html{fragment}", wait_until="load")
        self.page.evaluate("() => window.MathJax?.startup?.promise")
        self.page.wait_for_timeout(50)
        return self.page
