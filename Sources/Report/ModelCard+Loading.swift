internal import FlapCore

extension ModelCard {
  var loading: String {
    "## Load it\n\n" + transformers + "\n" + vllm + "\n" + llamaCpp
  }

  private var transformers: String {
    let argument = needsRemoteCode ? ", trust_remote_code=True" : ""
    let note =
      needsRemoteCode
      ? "Layers of unequal sizes need the two small Python files in this folder "
        + "(transformers 4.57 or 5)."
      : "All layers have the same sizes: a class of transformers itself loads it."
    return """
      \(note)

      ```python
      from transformers import AutoModelForCausalLM, AutoTokenizer

      folder = "."  # this folder, or its name on the hub
      model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto"\(argument))
      tokenizer = AutoTokenizer.from_pretrained(folder)
      ```

      """
  }

  private var vllm: String {
    let options = needsRemoteCode ? " --trust-remote-code --model-impl transformers" : ""
    let note =
      needsRemoteCode
      ? "vLLM runs it through its transformers backend, with transformers 5.14 or later. "
      : "vLLM: "
    return """
      \(note)The size of a tensor-parallel group has to divide the heads and neurons \
      of every layer: here \(parallelism).

      ```sh
      vllm serve .\(options)
      ```

      """
  }

  /// The sizes of tensor-parallel groups that divide every layer's query heads, key/value heads and
  /// neurons.
  private var parallelism: String {
    let divisor = prunedShape.layers.reduce(0) {
      [$1.headCount, $1.keyValueHeadCount, $1.intermediateSize].reduce($0, greatestCommonDivisor)
    }
    let sizes = (1...max(divisor, 1)).filter { divisor % $0 == 0 }.map(String.init)
    return sizes.count == 1 ? "1 only" : sizes.joined(separator: ", ")
  }

  private var llamaCpp: String {
    guard needsRemoteCode || ggufFile != nil else {
      return """
        llama.cpp reads GGUF files, not this folder, which its own converter knows.

        """
    }
    guard let ggufFile else {
      return """
        llama.cpp reads GGUF files, not this folder; its architecture `deci` is the one that has
        sizes per layer and these biases. Its own converter does not know this folder's layers.

        """
    }
    return """
      llama.cpp:

      ```sh
      llama-cli -m '\(Markdown.code(ggufFile))'
      ```

      """
  }

  var limits: String {
    """
    ## Limits

    A pruned model is a worse model than the dense one, by how much depends on the task; what the \
    dense model's card says of uses, risks and licence holds for this one, too.

    """
  }
}

private func greatestCommonDivisor(_ left: Int, _ right: Int) -> Int {
  right == 0 ? left : greatestCommonDivisor(right, left % right)
}
