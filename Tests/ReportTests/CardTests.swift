import Foundation
import Pruning
import Report
import Testing

struct CardTests {
  @Test("the front matter: what the hub reads")
  func frontMatter() {
    let bare = Sample.card()
    #expect(
      bare.hasPrefix(
        """
        ---
        library_name: transformers
        pipeline_tag: text-generation
        tags:
        - flap
        - pruned
        - structured-pruning
        - arxiv:2312.11983
        ---

        # Tiny\\_1, pruned by
        """))
    let known = Sample.card(
      baseModel: "owner/Tiny-1",
      source: """
        ---
        license: other
        license_name: "tiny-licence"
        language:
        - en
        - "no"
        base_model: somebody/else
        extra: !!python/object
        ---
        # Tiny
        license: mit
        """)
    #expect(
      known.hasPrefix(
        """
        ---
        base_model: owner/Tiny-1
        library_name: transformers
        pipeline_tag: text-generation
        license: "other"
        license_name: "tiny-licence"
        language:
        - "en"
        - "no"
        tags:

        """))
    #expect(!known.contains("somebody"))
    #expect(known.contains("(https://huggingface.co/owner/Tiny-1)"))
  }

  @Test("where the dense model's own name is not known, what its card says that it was made from")
  func baseModels() {
    let one = Sample.card(source: "---\nbase_model: o/m # the base\n---\n")
    #expect(one.hasPrefix("---\nbase_model: o/m\nlibrary_name"))
    let merged = Sample.card(source: "---\nbase_model:\n  - o/m\n  - ../x\n  - o/n\n---\n")
    #expect(merged.hasPrefix("---\nbase_model:\n- o/m\n- o/n\nlibrary_name"))
    #expect(!Sample.card(source: "---\nbase_model: {o: m}\n---\n").contains("base_model"))
  }

  @Test(
    "what is not plain in the source's card is left out",
    arguments: [
      "", "license: mit", "---\nlicense: mit", "---\nlicense:\n---",
      "---\nlicense: |\n  a\n  b\n---",
      "---\nlicense: {a: b}\n---", "---\nlicense: [mit, [a]]\n---", "---\nlicense: a\"b\n---",
      "---\nlicense: *anchor\n---", "---\nlicense: mit\u{7}\n---", "---\nlicense: mit\nx: [\n---",
      "---\nlicense: mit\nlicense: apache-2.0\n---", "---\n- license: mit\n---",
      "---\nlicense: mit\nx: " + String(repeating: "[", count: 100_000) + "\n---",
    ])
  func unusual(source: String) {
    let card = SourceCard(markdown: source)
    #expect(card.entries.isEmpty && card.baseModels.isEmpty)
  }

  @Test("lines may end as elsewhere; lists may stand in one line")
  func usual() {
    let card = SourceCard(
      markdown: "---\r\nlicense: 'mit' # its own\r\nlanguage: [en, no]\r\n---\r\n")
    #expect(card.entries.map(\.key) == ["license", "language"])
    #expect(card.entries.map(\.values) == [["mit"], ["en", "no"]])
  }

  @Test("results are told where there are some, and else that there are none")
  func results() {
    let bare = Sample.card()
    #expect(bare.contains("was not measured"))
    #expect(!bare.contains("perplexity"))
    #expect(bare.contains("the scores come from the weights alone"))
    let evaluated = Sample.card(
      calibration: .init(digest: Sample.digest, sampleCount: 1024, tokenCount: 131072),
      evaluation: Sample.evaluation)
    #expect(evaluated.contains("| perplexity¹ | 2.5000 | 3.1250 |"))
    #expect(evaluated.contains("1,024 samples, 131,072 tokens, SHA-256 `abab"))
    #expect(evaluated.contains("| 0 | 2 of 4 | 1 of 2 | 4 of 5 |"))
  }

  @Test("what decided is told where it is not the paper's method")
  func choices() {
    let published = Sample.card()
    #expect(published.contains("removed by\n[FLAP]"))
    #expect(!published.contains("Optimal Brain Surgeon") && !published.contains("divergence"))
    let best = Sample.card(metric: "OBS", structure: "measured")
    #expect(best.contains("removed in the manner of\n[FLAP]"))
    #expect(best.contains("Optimal Brain Surgeon") && best.contains("divergence"))
    #expect(best.contains("metric OBS, structure measured"))
    #expect(!Sample.card(metric: "OBS").contains("divergence"))
  }

  @Test("what was predicted stands beside what was measured, where it is known")
  func losses() {
    #expect(!Sample.card(evaluation: Sample.evaluation).contains("predicted"))
    let predicted = Sample.card(predictedLoss: 0.75)
    #expect(predicted.contains("| loss, nats per token | 0.7500 | not measured |"))
    #expect(!predicted.contains("perplexity"))
    let both = Sample.card(evaluation: Sample.evaluation, predictedLoss: 0.75)
    #expect(both.contains("| loss, nats per token | 0.7500 | 0.2231 |"), "ln 3.125 / 2.5")
    // A table has to begin behind an empty line.
    #expect(both.contains("\n\n| | predicted | measured |\n| --- | ---: | ---: |\n"))
  }

  @Test("what maps were fitted to")
  func targets() {
    let once = Sample.card(compensation: .leastSquares)
    #expect(once.contains("compensated by least squares\n") && !once.contains("α"))
    let sequential = Sample.card(compensation: .leastSquares, isSequential: true)
    #expect(sequential.contains("compensated by least squares, map after map"))
    #expect(sequential.contains("residual stream behind each, all of it (α = 1)"))
  }

  @Test("how to load it: with remote code and without; where tensor parallelism ends")
  func loading() {
    let remote = Sample.card()
    #expect(remote.contains("trust_remote_code=True"))
    #expect(remote.contains("--model-impl transformers"))
    #expect(remote.contains("here 1 only"), "a layer has one key and value head")
    let uniform = Sample.card(needsRemoteCode: false)
    #expect(!uniform.contains("trust"))
    #expect(uniform.contains("vllm serve .\n"))
    #expect(!uniform.contains("llama-cli"))
    #expect(Sample.card(ggufFile: "tiny.gguf").contains("llama-cli -m 'tiny.gguf'"))
  }

  @Test("how to evaluate it, and what was measured of questions")
  func evaluating() {
    let remote = Sample.card()
    #expect(
      remote.contains("lm_eval --model hf --model_args pretrained=.,trust_remote_code=True \\\n"))
    #expect(!remote.contains("acc, dense"))
    #expect(Sample.card(needsRemoteCode: false).contains("--model_args pretrained=. \\\n"))
    let measured = Sample.card(taskResults: Sample.taskResults)
    #expect(!measured.contains("was not measured"))
    #expect(
      measured.contains(
        "\n\n| task | questions | acc, dense | acc, pruned | acc\\_norm, dense | acc\\_norm, pruned |\n"
      ))
    #expect(
      measured.contains(
        "| arc\\_easy | 1,200 | 0.5000 ± 0.0100 | 0.2500 | 0.7500 ± 0.0100 | 0.1250 |\n"))
  }

  @Test(
    "names by path",
    arguments: [
      ("/a/models--meta-llama--Llama-3.2-1B/snapshots/0f3c", "meta-llama/Llama-3.2-1B"),
      ("/a/models--gpt2/snapshots/0f3c/", "gpt2"), ("/a/b/Llama", nil), ("snapshots/x", nil),
      ("/a/models--a--b--c/snapshots/1", nil), ("", nil),
    ])
  func names(path: String, name: String?) {
    #expect(ModelName.onHub(path: path) == name)
  }

  @Test("short names")
  func shortNames() {
    #expect(ModelName.short(path: "/srv/llama/") == "llama")
    #expect(ModelName.short(path: "/a/models--o--N-1/snapshots/0f") == "N-1")
    #expect(ModelName.short(path: "/") == "/")
    #expect(!ModelName.isHubName("a b"))
    #expect(!ModelName.isHubName("../x"))
    #expect(!ModelName.isHubName("a/b\n- c"))
    #expect(!ModelName.isHubName("a/"))
  }
}
