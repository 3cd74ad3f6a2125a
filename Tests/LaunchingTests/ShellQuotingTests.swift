import FlapTestKit
import Launching
import Testing

struct ShellQuotingTests {
  @Test(
    "plain words stay readable, others stand in quotes",
    arguments: [
      ("/opt/flap-worker", "/opt/flap-worker"), ("A=b", "A=b"), ("", "''"), ("a b", "'a b'"),
      ("it's", #"'it'\''s'"#), ("=ls", "'=ls'"), ("$HOME", "'$HOME'"), ("~", "'~'"),
      ("é", "'é'"), ("-n", "-n"), ("a\nb", "'a\nb'"), ("'", #"''\'''"#),
    ])
  func quoted(word: String, quoted: String) {
    #expect(ShellQuoting.quote(word) == quoted)
  }

  @Test("a shell reads back what was quoted")
  func readBack() throws {
    var words = [
      "", " ", "'", "''", "\"", "\\", "\\'", "$HOME", "$(id)", "`id`", "a;b", "a&&b", "|", ">f",
      "*",
      "?", "[a-z]", "{a,b}", "~", "~root", "#", "!", "!!", "\n", "\t", "a\nb", "é", "日本", "-n",
      "--",
      "%s", "=ls", "\\n", "'\\''", "A=b", "exec", "if", "\u{1B}[0m",
    ]
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<1000 {
      let count = Int.random(in: 0...12, using: &generator)
      let scalars = (0..<count).map { _ in
        Unicode.Scalar(UInt8.random(in: 1...127, using: &generator))
      }
      words.append(String(String.UnicodeScalarView(scalars)))
    }
    let output = try Shell.output(of: "printf '%s\\0' " + ShellQuoting.join(words))
    #expect(Shell.words(output) == words)
  }
}
