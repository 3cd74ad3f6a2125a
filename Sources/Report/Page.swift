/// A whole page: HTML 5, nothing outside of it is loaded, no script.
enum Page {
  /// - Parameters:
  ///   - title: text.
  ///   - body: markup of the page's body.
  static func html(title: String, body: String) -> String {
    let head =
      """
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width,initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta name="robots" content="noindex">
      <meta http-equiv="Content-Security-Policy" \
      content="default-src 'none';style-src 'unsafe-inline';img-src data:">
      <link rel="icon" href="data:,">
      <title>\(Markup.escape(title))</title>
      <style>\(String(decoding: PackageResources.report_css, as: UTF8.self))</style>
      """
    return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n\(head)\n</head>\n<body>\n"
      + body + "</body>\n</html>\n"
  }

  /// - Parameters:
  ///   - identifier: unique on the page.
  ///   - content: markup.
  static func section(_ identifier: String, _ title: String, _ content: String) -> String {
    Markup.element(
      "section", ["aria-labelledby": identifier],
      Markup.element("h2", ["id": identifier], Markup.escape(title)) + "\n" + content) + "\n"
  }

  /// What stands at the top.
  ///
  /// - Parameters:
  ///   - kind: what kind of page it is, "pruning report".
  ///   - lead: markup.
  ///   - tiles: of ``tile(_:_:_:)``.
  static func header(
    version: String, kind: String, title: String, lead: String, tiles: [String]
  ) -> String {
    Markup.element(
      "header", [:],
      Markup.element(
        "p", ["class": "kicker"], "flap \(Markup.escape(version)) · \(Markup.escape(kind))")
        + Markup.element("h1", [:], Markup.escape(title))
        + Markup.element("p", ["class": "lead"], lead)
        + Markup.element("dl", ["class": "tiles"], tiles.joined())) + "\n"
  }

  /// One figure of those that stand at the top; all markup.
  static func tile(_ name: String, _ value: String, _ detail: String) -> String {
    Markup.element(
      "div", [:],
      Markup.element("dt", [:], name)
        + Markup.element("dd", [:], "<b>\(value)</b><span>\(detail)</span>"))
  }
}
