/// A picture of shapes alone, as wide as its place: its width is 1000 units, whatever the screen's.
///
/// Words stand beside it in HTML, so that they keep their size on a phone.
struct Plot {
  static let width = 1000.0
  let height: Double
  private(set) var shapes = ""

  init(height: Double) { self.height = height }

  /// Rectangles of one class, in one path.
  mutating func add(_ rectangles: [Rectangle], class name: String, opacity: Double? = nil) {
    guard !rectangles.isEmpty else { return }
    let path = rectangles.map(\.path).joined()
    if let opacity {
      shapes += Markup.shape(
        "path", ["class": name, "d": path, "opacity": NumberText.coordinate(opacity)])
    } else {
      shapes += Markup.shape("path", ["class": name, "d": path])
    }
  }

  /// A vertical line over the whole height; `x` in parts of the width.
  mutating func addLine(at x: Double, class name: String) {
    let x = NumberText.coordinate(x * Plot.width)
    shapes += Markup.shape(
      "path", ["class": name, "d": "M\(x) 0V\(NumberText.coordinate(height))"])
  }

  /// A line through points, in units of the picture.
  mutating func addCurve(_ points: [(x: Double, y: Double)], class name: String) {
    guard points.count > 1 else { return }
    let path = points.map(Plot.text).joined(separator: " ")
    shapes += Markup.shape("path", ["class": name, "d": "M\(path)"])
  }

  /// Lines of no length, whose round ends the style sheet draws: circles would be stretched.
  mutating func addDots(_ points: [(x: Double, y: Double)], class name: String) {
    guard !points.isEmpty else { return }
    let path = points.map { "M\(Plot.text($0))h0" }.joined()
    shapes += Markup.shape("path", ["class": name, "d": path])
  }

  /// As exact as a screen shows it.
  private static func text(_ point: (x: Double, y: Double)) -> String {
    NumberText.coordinate(point.x.rounded()) + " "
      + NumberText.coordinate((point.y * 10).rounded() / 10)
  }

  /// - Parameters:
  ///   - identifier: unique on the page; names what title and description belong to.
  ///   - title: what it is; `description`: what it shows, for those who do not see it.
  func svg(identifier: String, class name: String, title: String, description: String) -> String {
    Markup.element(
      "svg",
      [
        "class": name, "viewBox": "0 0 1000 \(NumberText.coordinate(height))",
        "preserveAspectRatio": "none", "role": "img",
        "aria-labelledby": "\(identifier)-t \(identifier)-d",
      ],
      Markup.element("title", ["id": "\(identifier)-t"], Markup.escape(title))
        + Markup.element("desc", ["id": "\(identifier)-d"], Markup.escape(description)) + shapes)
  }

  struct Rectangle {
    var x: Double
    var y: Double
    var width: Double
    var height: Double

    fileprivate var path: String {
      let text = NumberText.coordinate
      return "M\(text(x)) \(text(y))h\(text(width))v\(text(height))h\(text(-width))z"
    }
  }
}
