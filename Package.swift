// swift-tools-version: 6.2
// Targets are listed top down: a target imports only targets below it (Tests aside).
import PackageDescription

/// One list of strict settings for every Swift target.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let sqlite = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let sockets = Target.Dependency.product(name: "FlyingSocks", package: "FlyingFox")
let yaml = Target.Dependency.product(name: "Yams", package: "Yams")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

func library(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = [])
  -> Target
{
  .target(
    name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(
  of name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = [],
  exclude: [String] = []
) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: [.byName(name: name), "FlapTestKit"] + dependencies,
    exclude: exclude, resources: resources, swiftSettings: strict)
}

/// The benchmark, which nothing else needs, on request only: `FLAP_BENCH=1 swift build …`.
let benchmark: [Target] =
  Context.environment["FLAP_BENCH"] == nil
  ? []
  : [
    program("flap-bench", ["Benchmark", argumentParser, system]),
    library(
      "Benchmark",
      [
        "Host", "Measurement", "Transformer", "Kernels", "Coordination", "Checkpoint", "Statistics",
        "FlapCore", "Storage", "Tokenizer", "CBenchmark", system,
      ]),
    // What is compared with: oneDNN's products as they are, and the CPU's multipliers.
    .target(name: "CBenchmark", linkerSettings: [.linkedLibrary("dnnl")]),
  ]

let package = Package(
  name: "flap",
  products: [
    .executable(name: "flap-coord", targets: ["flap-coord"]),
    .executable(name: "flap-worker", targets: ["flap-worker"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
  ],
  targets: benchmark + [
    // Programs and shells.
    program("flap-coord", ["Coordinator", "Pruning", "Checkpoint", argumentParser, system]),
    program("flap-worker", ["Worker", "Transport", argumentParser, logging, system]),
    // A tool for measuring: no product.
    program("flap-load", ["LoadGenerator", argumentParser, system]),
    library(
      "Coordinator",
      [
        "Launching", "Journal", "Chronicle", "Host", "Report", "Export", "GGUF", "Wire",
        "Transport",
        "Coordination", "Pruning", "Measurement", "LeastSquares", "Transformer", "Kernels",
        "TextData", "Questions", "Tokenizer",
        "Checkpoint", "Storage", "Statistics", "FlapCore", argumentParser, sockets, logging, system,
      ], resources: [.embedInCode("Bench/TransformersBench.py")]),
    library(
      "Worker",
      [
        "Launching", "Host", "Export", "Peers", "Wire", "Transport", "Coordination", "Pruning",
        "Measurement", "LeastSquares", "Transformer", "Kernels", "Checkpoint", "Storage",
        "Statistics", "FlapCore", logging, system,
      ]),
    library(
      "LoadGenerator",
      [
        "Host", "Wire", "Transport", "Coordination", "Checkpoint", "Storage", "Statistics",
        "FlapCore", system,
      ]),
    library(
      "Launching", ["FlapCore", "CSpawn", system],
      resources: ["common", "receive_worker", "receive_file", "survey_model"].map {
        .embedInCode("Shipping/Scripts/\($0).sh")
      }),
    library("Journal", ["Coordination", "Storage", "Statistics", "FlapCore", sqlite, system]),
    library("Chronicle", ["Coordination", "Storage", system]),
    library("Host", ["Coordination", "FlapCore", "CBinding", system]),

    // What people read.
    library(
      "Report", ["Pruning", "FlapCore", yaml], resources: [.embedInCode("Style/report.css")]),

    // Formats and wires.
    library(
      "Export", ["Pruning", "Checkpoint", "Storage", "Statistics", "FlapCore", system],
      resources: [
        .embedInCode("RemoteCode/configuration_flap.py"),
        .embedInCode("RemoteCode/modeling_flap.py"),
        .embedInCode("RemoteCode/modeling_flap_experts.py"),
      ]),
    library("GGUF", ["Tokenizer", "Checkpoint", "Storage", "FlapCore", system]),
    library("Peers", ["Wire", "Transport", "Storage", "FlapCore"]),
    library(
      "Wire", ["Coordination", "Statistics", "FlapCore", "CFlapMessages", "CProtobufC"]),
    library("Transport", ["FlapCore", "CZeroMQ"]),

    // Cores.
    library("Coordination", ["Statistics", "FlapCore"]),
    library("Pruning", ["Statistics", "FlapCore"]),
    library("LeastSquares", ["Kernels", "FlapCore"]),
    library(
      "Measurement", ["Transformer", "Kernels", "Checkpoint", "Statistics", "FlapCore"]),
    library("Transformer", ["Kernels", "Checkpoint", "FlapCore"]),
    library("Kernels", ["FlapCore", "CKernels"]),
    library(
      "TextData",
      ["ChatTemplate", "Columns", "Compression", "Tokenizer", "Storage", "FlapCore", system]),
    library("Questions", ["Tokenizer"]),
    library("ChatTemplate"),
    library("Columns", ["Compression", "FlapCore"]),
    library("Compression", ["CZlib", "CZstd", "CLzma", "CLZ4", "CSnappy"]),
    library("Tokenizer"),
    library("Checkpoint", ["Storage", "FlapCore", system]),
    library("Storage", ["FlapCore", "CXXHash", crypto, system]),
    library("Statistics", ["FlapCore"]),
    library("FlapCore"),

    // C: shims over system libraries, generated messages, kernels with intrinsics.
    .systemLibrary(
      name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
    .systemLibrary(
      name: "CProtobufC",
      providers: [.apt(["libprotobuf-c-dev"])]),
    // What the system's C library has and its headers hide.
    .systemLibrary(name: "CSpawn"),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CLzma", providers: [.apt(["liblzma-dev"])]),
    .systemLibrary(name: "CLZ4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CSnappy", providers: [.apt(["libsnappy-dev"])]),
    .target(name: "CBinding"),
    .target(name: "CFlapMessages", dependencies: ["CProtobufC"]),
    // Checksums are as quick as memory in the debug build, too.
    .target(name: "CXXHash", cSettings: [.unsafeFlags(["-O3"])]),
    .target(
      name: "CKernels",
      // The kernels are the hot loops of every build, the debug one too.
      // Its helpers are inlined always, so that no vector crosses a call: -Wno-psabi.
      cSettings: [.unsafeFlags(["-O3", "-fno-math-errno", "-Wno-psabi"])]),

    // Tests.
    .target(
      name: "FlapTestKit",
      dependencies: ["Coordination", "Statistics", "FlapCore"],
      path: "Tests/FlapTestKit", swiftSettings: strict),
    tests(of: "FlapCore"),
    tests(of: "Statistics", ["FlapCore"]),
    tests(of: "Storage", ["FlapCore", system]),
    tests(
      of: "Checkpoint", ["Storage", "FlapCore", system], resources: [.copy("Golden")],
      exclude: ["make_golden.py"]),
    tests(
      of: "Tokenizer", resources: [.copy("Golden")],
      exclude: ["make_composition_data.py", "make_golden.py", "mixed_text.py"]),
    tests(
      of: "Questions", ["Tokenizer"], resources: [.copy("Golden")], exclude: ["make_golden.py"]),
    tests(
      of: "ChatTemplate", ["TextData", "Tokenizer"],
      resources: [.copy("Golden"), .copy("Templates")],
      exclude: ["make_golden.py", "random_templates.py"]),
    tests(
      of: "TextData", ["ChatTemplate", "Tokenizer", "Storage", "FlapCore", system],
      resources: [.copy("Golden")],
      exclude: ["make_chat_golden.py", "make_golden.py", "make_golden_files.py"]),
    tests(of: "Columns", resources: [.copy("Golden")], exclude: ["make_golden.py"]),
    tests(of: "Kernels", ["Statistics", "FlapCore", "CKernels"]),
    tests(
      of: "Transformer",
      ["Measurement", "Kernels", "Checkpoint", "Statistics", "FlapCore", system],
      resources: [.copy("Golden")], exclude: ["make_golden.py", "make_topk_golden.py"]),
    tests(
      of: "Measurement",
      [
        "Coordination", "Export", "Transformer", "Kernels", "Checkpoint", "Storage", "Statistics",
        "FlapCore", system,
      ]),
    tests(
      of: "Pruning", ["Statistics", "FlapCore"], resources: [.copy("Golden")],
      exclude: ["make_golden.py"]),
    tests(
      of: "LeastSquares", ["Kernels", "Pruning", "FlapCore"], resources: [.copy("Golden")],
      exclude: ["make_golden.py"]),
    tests(of: "Coordination", ["Statistics", "FlapCore"]),
    tests(of: "Launching", ["FlapCore"]),
    tests(
      of: "Journal", ["Coordination", "Storage", "Statistics", "FlapCore", system],
      resources: [.copy("Golden")]),
    tests(of: "Chronicle", ["Coordination", "Storage", "FlapCore", system]),
    tests(of: "Host", ["FlapCore", system]),
    tests(of: "Transport", ["FlapCore"]),
    tests(of: "Wire", ["Coordination", "Statistics", "FlapCore"]),
    tests(of: "Peers", ["Wire", "Transport", "Storage", "FlapCore", system]),
    tests(
      of: "GGUF", ["Checkpoint", "Storage", "FlapCore", system], resources: [.copy("Golden")],
      exclude: ["make_golden.py"]),
    tests(of: "Report", ["Pruning", "FlapCore"]),
    tests(
      of: "Export",
      [
        "Transformer", "Kernels", "Checkpoint", "Pruning", "Statistics", "Storage", "FlapCore",
        system,
      ]),
    tests(
      of: "Coordinator",
      [
        "flap-coord", "flap-worker", "Host", "Wire", "Transport", "Coordination", "Checkpoint",
        "Storage", "Statistics", "FlapCore", system,
      ]),
  ]
)
