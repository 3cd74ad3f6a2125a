/// What stands before and after the tokens of a text (`TemplateProcessing`).
struct PostProcessor: Hashable, Sendable {
  var prefix: [Int32] = []
  var suffix: [Int32] = []
}
