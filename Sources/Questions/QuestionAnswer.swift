/// What a model makes of a question.
public struct QuestionAnswer: Hashable, Sendable {
  /// Of each choice, natural logarithm, summed over its tokens.
  public let logLikelihoods: [Double]
  /// Which choice is chosen by its log-likelihood as it is, divided by the length of the choice in
  /// characters (Unicode scalars), and in bytes of UTF-8; the first of equals.
  public let chosen: Int
  public let chosenByCharacters: Int
  public let chosenByBytes: Int

  /// - Precondition: one log-likelihood for each choice, all finite.
  public init(_ question: Question, logLikelihoods: [Double]) {
    precondition(logLikelihoods.count == question.choices.count)
    self.logLikelihoods = logLikelihoods
    func best(_ length: (String) -> Int) -> Int {
      let values = zip(logLikelihoods, question.choices).map { $0 / Double(length($1)) }
      return values.indices.dropFirst().reduce(0) { values[$1] > values[$0] ? $1 : $0 }
    }
    chosen = best { _ in 1 }
    chosenByCharacters = best { $0.unicodeScalars.count }
    chosenByBytes = best { $0.utf8.count }
  }
}
