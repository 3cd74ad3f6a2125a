internal import Checkpoint
internal import Statistics

/// The perplexity of windows that overlap: of each but the first only the last `stride` tokens count,
/// predicted with all of the window before them (the sliding window of transformers' guide to
/// perplexity, `--ppl-stride` of llama.cpp).
///
/// Workers sum the loss over whole samples. What a window repeats of the one before is the loss of a
/// sample of its own, its first window − stride tokens, for no token sees a later one: it is measured
/// likewise and subtracted.
struct OverlappingWindows {
  let window: Int
  /// 1…window; the window itself where none overlap.
  let stride: Int

  /// The repeated beginnings; nil where there are none, or no token of theirs is predicted.
  func contexts(
    of pass: SampledPass, options: ForwardOptions, _ cluster: ClusterPlan
  ) -> SampledPass? {
    let length = window - stride
    let tokens = pass.tokens
    guard length > 1, tokens.sampleCount > 1 else { return nil }
    let repeated = (1..<tokens.sampleCount).flatMap { tokens.rows($0..<$0 + 1).prefix(length) }
    return SampledPass(
      shape: pass.shape,
      tokens: TokenMatrix(
        sampleCount: tokens.sampleCount - 1, tokensPerSample: length, tokens: repeated, path: ""),
      options: options, cluster)
  }

  func loss(_ windows: LossSum, without contexts: LossSum) -> LossSum {
    LossSum(
      negativeLogLikelihood: windows.negativeLogLikelihood - contexts.negativeLogLikelihood,
      tokenCount: windows.tokenCount - contexts.tokenCount)
  }
}
