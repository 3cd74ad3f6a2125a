import ChatTemplate
import FlapTestKit
import Testing

/// Templates come from strangers: whatever they are, they end, and soon.
@Suite struct BoundsTests {
  struct Greedy: CustomTestStringConvertible {
    let template: String
    let reason: ChatTemplateError.Reason

    init(_ template: String, _ reason: ChatTemplateError.Reason) {
      (self.template, self.reason) = (template, reason)
    }

    var testDescription: String { String(template.prefix(60)) }
  }

  private static func brackets(_ open: String, _ close: String) -> String {
    String(repeating: open, count: 100_000) + String(repeating: close, count: 100_000)
  }

  static let greedy: [Greedy] = [
    .init("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", .tooDeep),
    .init("{{ " + brackets("(", ")") + " }}", .tooDeep),
    .init("{{ " + brackets("[", "]") + " }}", .tooDeep),
    .init("{{ x" + brackets("[x", "]") + " }}", .tooDeep),
    .init("{{ x" + brackets("(x", ")") + " }}", .tooDeep),
    .init("{{ " + String(repeating: "not ", count: 100_000) + "x }}", .tooDeep),
    .init("{{ " + String(repeating: "-", count: 100_000) + "1 }}", .tooDeep),
    .init("{{ 1" + String(repeating: " + 1", count: 100_000) + " }}", .tooDeep),
    .init("{{ x" + String(repeating: ".x", count: 100_000) + " }}", .tooDeep),
    .init("{{ x" + String(repeating: " | trim", count: 100_000) + " }}", .tooDeep),
    .init("{{ x" + String(repeating: " if x else x", count: 50_000) + " }}", .tooDeep),
    .init(String(repeating: "{% if x %}", count: 100_000), .tooDeep),
    .init(
      "{% for a in range(100000) %}{% for b in range(100000) %}{{ a }}{% endfor %}{% endfor %}",
      .tooMuchWork
    ),
    .init("{{ 'abcdefgh' * 1000000000 }}", .tooMuchWork),
    .init("{{ [1] * 1000000000 }}", .tooMuchWork),
    .init("{{ 'x' | indent(1000000000, true) }}", .tooMuchWork),
    .init(
      "{% set n = namespace(s='ab') %}{% for i in range(90) %}{% set n.s = n.s + n.s %}{% endfor %}",
      .tooMuchWork
    ),
    .init(
      "{% set n = namespace(s='ab') %}{% for i in range(90) %}{% set n.s = n.s.replace('a', n.s) %}"
        + "{% endfor %}", .tooMuchWork
    ),
    // Few lists that hold each other twice: as text, more than any memory.
    .init(
      "{% set n = namespace(l=[1]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% endfor %}"
        + "{{ n.l }}", .tooMuchWork
    ),
    .init(
      "{% set n = namespace(l=[1]) %}{% for i in range(60) %}{% set n.l = {'a': n.l, 'b': n.l} %}"
        + "{% endfor %}{{ n.l | tojson }}", .tooMuchWork
    ),
    .init(
      "{% set n = namespace(l=[1], m=[1]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}"
        + "{% set n.m = [n.m, n.m] %}{% endfor %}{{ n.l == n.m }}", .tooMuchWork
    ),
    .init(
      "{% set n = namespace(l=[]) %}{% for i in range(100000) %}{% set n.l = [n.l] %}{% endfor %}",
      .tooDeep
    ),
    .init(
      "{% set a = 'a' * 4000000 %}{% set b = 'a' * 2000000 + 'b' %}{{ b in a }}", .tooMuchWork
    ),
  ]

  @Test(arguments: greedy)
  func endsAndSaysSo(greedy: Greedy) {
    guard case .failure(let error) = outcome(Array(greedy.template.utf8)) else {
      Issue.record("it ended")
      return
    }
    #expect(error.reason == greedy.reason, "\(error)")
  }

  @Test func aNamespaceMayHoldItself() {
    let template = "{% set n = namespace() %}{% set n.n = n %}{{ n.n.n.n is defined }}"
    #expect(outcome(Array(template.utf8)).told == #""True""#)
    guard case .failure = outcome(Array((template + "{{ n }}").utf8)) else {
      Issue.record("a namespace has no text")
      return
    }
  }

  @Test func moreInputMayTakeMoreWork() throws {
    let turns = (0..<40_000).map { index in
      TemplateValue.object([
        "role": .text(index % 2 == 0 ? "user" : "assistant"), "content": .text("turn \(index)"),
      ])
    }
    let text = try Golden.template("llama-3.1").render([
      ("messages", .list(turns)), ("bos_token", .text("<s>")),
      ("add_generation_prompt", .bool(false)),
    ])
    #expect(text.count > 40_000 * 40)
  }

  /// Copies parts of templates elsewhere, drops some, and puts in marks of the language.
  @Test func mutatedTemplatesDoNoHarm() throws {
    let golden = try Golden()
    let wanted = try #require(golden.cases.first { $0.conversation == "tool" && $0.hasTools })
    let variables = try golden.variables(wanted)
    let sources = try Golden.templateNames().map { try Golden.file("Templates/\($0).jinja") }
    let marks = [
      "{{", "}}", "{%", "%}", "{#", "-", "(", ")", "[", "]", "|", ".", "'", "\"", " if ", " else ",
      " for ", " in ", " not ", "loop", "messages", "~", "+", "*", "[::-1]", "\\", "\n", "é", "9",
      "{% endif %}", "{% endfor %}", "{% break %}", "range(9)", " | length", "namespace()",
    ].map { Array($0.utf8) }
    var generator = SeededGenerator(seed: 13)
    var outcomes: [Bool: Int] = [:]
    for _ in 0..<FuzzCount.perTest / 20 {
      var source = sources.randomElement(using: &generator)!
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let start = Int.random(in: 0..<source.count, using: &generator)
        let end = min(source.count, start + Int.random(in: 0..<12, using: &generator))
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: source.removeSubrange(start..<end)
        case 1: source.insert(contentsOf: source[start..<end], at: start)
        case 2: source[start] = UInt8.random(in: 0x20..<0x7F, using: &generator)
        default: source.insert(contentsOf: marks.randomElement(using: &generator)!, at: start)
        }
        if source.isEmpty { source = [0x20] }
      }
      // A cut through a character is no text, and is refused where the file is read.
      guard String(validating: source, as: UTF8.self) != nil else { continue }
      switch outcome(source, variables) {
      case .success(let text):
        outcomes[true, default: 0] += 1
        #expect(String(validating: text, as: UTF8.self) != nil)
      case .failure(let error):
        outcomes[false, default: 0] += 1
        #expect(error.line >= 1 && error.line <= source.count { $0 == 0x0A } + 1)
      }
    }
    #expect(outcomes[true] ?? 0 > 0 && outcomes[false] ?? 0 > 0)
  }
}
