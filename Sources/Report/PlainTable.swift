/// A table whose first column names the rows.
struct PlainTable {
  var caption: String
  var head: [String]
  /// Markup.
  var rows: [[String]]
  var className = ""
  /// For eyes, where the heading above says the same.
  var hidesCaption = false

  var html: String {
    let columns = head.map { Markup.element("th", ["scope": "col"], Markup.escape($0)) }
    let body = rows.map { row in
      Markup.element(
        "tr", [:],
        Markup.element("th", ["scope": "row"], row[0])
          + row.dropFirst().map { Markup.element("td", [:], $0) }.joined())
    }
    return Markup.element(
      "div", ["class": "scroll"],
      Markup.element(
        "table", ["class": "plain \(className)"],
        Markup.element(
          "caption", ["class": hidesCaption ? "hidden" : "shown"], Markup.escape(caption))
          + Markup.element("thead", [:], Markup.element("tr", [:], columns.joined()))
          + Markup.element("tbody", [:], body.joined()))) + "\n"
  }
}
