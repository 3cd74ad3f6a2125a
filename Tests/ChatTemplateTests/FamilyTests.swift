import ChatTemplate
import Testing

/// The models' own templates give what transformers gives, byte for byte.
@Suite struct FamilyTests {
  @Test func conversationsAreThoseOfTransformers() throws {
    let golden = try Golden()
    #expect(Set(golden.cases.map(\.template)) == Set(try Golden.templateNames()))
    var templates: [String: ChatTemplate] = [:]
    for name in try Golden.templateNames() { templates[name] = try Golden.template(name) }
    for wanted in golden.cases {
      let template = try #require(templates[wanted.template])
      let variables = try golden.variables(wanted)
      let found = Result { () throws(ChatTemplateError) in try template.render(variables) }
      switch (found, wanted.text) {
      case (.success(let text), let wantedText?):
        #expect(
          text == wantedText,
          "\(wanted): \(found.told), not \(String(decoding: wantedText, as: UTF8.self))")
      case (.failure(let error), nil):
        // The template's own words, where they are the reason.
        #expect(error.isRaised == (wanted.refusal != ""), "\(wanted): \(error)")
        if error.isRaised { #expect("\(error)" == wanted.refusal, "\(wanted)") }
      default: Issue.record("\(wanted): \(found.told)")
      }
    }
  }

  @Test func aTemplateIsReadOnceAndRendersAlways() throws {
    let golden = try Golden()
    let wanted = try #require(
      golden.cases.first { $0.template == "qwen-3" && $0.conversation == "tool" })
    let template = try Golden.template("qwen-3")
    let variables = try golden.variables(wanted)
    for _ in 0..<3 { #expect(try template.render(variables) == wanted.text) }
  }
}
