import ChatTemplate
import Testing

/// The language, piece by piece, as Jinja in transformers' settings has it.
@Suite struct LanguageTests {
  @Test(arguments: ["snippets.json", "random.json"])
  func renderedAsByJinja(file: String) throws {
    let (variables, cases) = try Golden.snippets(file)
    #expect(cases.count > 100)
    for wanted in cases {
      let found = outcome(wanted.template, variables)
      let source = String(decoding: wanted.template, as: UTF8.self)
      switch (found, wanted.text) {
      case (.success(let text), let wantedText?):
        #expect(
          text == wantedText,
          "\(source): \(found.told), not \(String(decoding: wantedText, as: UTF8.self))")
      case (.failure, nil): break
      // What random templates do and no sensible one: told, not guessed.
      case (.failure(let error), _) where file == "random.json":
        guard case .unsupported = error.reason else {
          Issue.record("\(source): \(error)")
          continue
        }
      default: Issue.record("\(source): \(found.told)")
      }
    }
  }

  @Test(
    "what is not understood is named with its line",
    arguments: [
      ("a\n{% include 'x' %}", "line 2 of the template: {% include %} is not understood here"),
      ("{{ 'a' | urlize }}", "line 1 of the template: the filter urlize is not understood here"),
      ("\n\n{{ 1 is prime }}", "line 3 of the template: the test prime is not understood here"),
      ("{{ 'a'.format(1) }}", "line 1 of the template: format of a text is not understood here"),
      ("{{ cycler(1) }}", "line 1 of the template: cycler is not understood here"),
      ("{{ '%s' % 1 }}", "line 1 of the template: % behind a text is not understood here"),
      ("{{ 0x10 }}", "line 1 of the template: a number that is not decimal is not understood here"),
      (
        "{{ 9223372036854775807 + 1 }}",
        "line 1 of the template: a number beyond 64 bits is not understood here"
      ),
      (
        "{% if x %}",
        "line 1 of the template: it ends before {% elif %} or {% else %} or {% endif %}"
      ),
      ("{{ x.y }}", "line 1 of the template: x is undefined"),
      ("{{ {}.y.z }}", "line 1 of the template: dict has no y"),
      ("{{ raise_exception('roles\\nmust') }}", "roles\nmust"),
    ])
  func refusals(template: String, message: String) {
    #expect(outcome(Array(template.utf8)).told == "refused: \(message)")
  }

  @Test("a part that is not understood does no harm where it is not reached")
  func unreached() {
    #expect(
      outcome(Array("{% if false %}{{ 'a' | urlize }}{% endif %}b".utf8)).told == #""b""#)
  }
}
