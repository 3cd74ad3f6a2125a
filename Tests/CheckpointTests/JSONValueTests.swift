import Checkpoint
import Testing

/// JSON whose fields are not known beforehand: nothing of it changes on the way.
struct JSONValueTests {
  @Test("every kind of value, and numbers as they were meant")
  func kinds() throws {
    let value = try JSONValue(
      parsing: Array(
        #"{"a": [null, true, 1, 10000.0, 1e-05, 9007199254740993, "x/y é \u0001\n\""], "b": {}}"#
          .utf8))
    let list: [JSONValue] = [
      .null, .flag(true), .whole(1), .whole(10000), .number(1e-05), .whole(9_007_199_254_740_993),
      .text("x/y é \u{1}\n\""),
    ]
    #expect(value == .object(["a": .list(list), "b": .object([:])]))
    #expect(try JSONValue(parsing: value.formatted()) == value)
  }

  @Test("keys in the order of their code points, one line each, slashes as they are")
  func formatted() throws {
    let value = JSONValue.object([
      "b": .text("o/n"), "a": .number(0.5), "B": .whole(1), "10": .null, "2": .flag(false),
    ])
    let text = String(decoding: try value.formatted(), as: UTF8.self)
    #expect(
      text == """
        {
          "10" : null,
          "2" : false,
          "B" : 1,
          "a" : 0.5,
          "b" : "o/n"
        }

        """)
  }

  @Test("what is no JSON is refused", arguments: ["", "{", "[1", "nul", "{\"a\" 1}", "1 2"])
  func refused(text: String) {
    #expect(throws: (any Error).self) { try JSONValue(parsing: Array(text.utf8)) }
  }
}
