"""The operations that a graph of TensorFlow from elsewhere may have, and what each does with the pixels.

Only arithmetic: nothing that reads or writes files, keeps values, prints, waits, or calls Python is here.
"""


def _first(count):
    return (0,)


def _both(count):
    return (0, 1)


def _all(count):
    return tuple(range(count))


# Operation -> which of so many inputs are pixels, or numbers that pixels are combined with; others are shapes or axes.
CONVOLUTIONS = {
    "Conv2D": (0, 1),
    "Conv3D": (0, 1),
    "Conv2DBackpropInput": (2, 1),
    "Conv3DBackpropInputV2": (2, 1),
    "DepthwiseConv2dNative": (0, 1),
    "MatMul": (0, 1),
}
POOLINGS = ("AvgPool", "AvgPool3D", "MaxPool", "MaxPool3D")
RESIZINGS = ("ResizeBicubic", "ResizeBilinear", "ResizeNearestNeighbor")
NORMALISATIONS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
REDUCTIONS = ("All", "Any", "Max", "Mean", "Min", "Prod", "Sum")
ALONG_CHANNELS = ("LogSoftmax", "Softmax")
PIXEL_BY_PIXEL = {
    **dict.fromkeys(
        (
            "Abs", "Ceil", "Elu", "Erf", "Exp", "Expm1", "Floor", "Inv", "IsFinite", "IsInf", "IsNan", "LeakyRelu",
            "Log", "Log1p", "LogicalNot", "Neg", "OnesLike", "Reciprocal", "Relu", "Relu6", "Rint", "Round", "Rsqrt",
            "Selu", "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt", "Square", "Tanh", "ZerosLike",
        ),
        _first,
    ),
    **dict.fromkeys(
        (
            "Add", "AddV2", "BiasAdd", "BiasAddV1", "Div", "DivNoNan", "Equal", "FloorDiv", "FloorMod", "Greater",
            "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr", "Maximum", "Minimum", "Mod", "Mul",
            "NotEqual", "Pow", "RealDiv", "SquaredDifference", "Sub", "TruncateDiv",
        ),
        _both,
    ),
    "AddN": _all,
    "Cast": _first,
    "ClipByValue": _all,
    "Select": _all,
    "SelectV2": _all,
}  # fmt: skip
MOVES = {
    **dict.fromkeys(
        (
            "BatchToSpaceND", "BroadcastTo", "DepthToSpace", "ExpandDims", "GatherV2", "MirrorPad", "Pad", "Reshape",
            "ReverseV2", "Slice", "SpaceToBatchND", "SpaceToDepth", "SplitV", "Squeeze", "StridedSlice", "Tile",
            "Transpose", "Unpack",
        ),
        _first,
    ),
    "Concat": lambda count: tuple(range(1, count)),
    "ConcatV2": lambda count: tuple(range(count - 1)),
    "Pack": _all,
    "PadV2": lambda count: (0, 2),
    "Split": lambda count: (1,),
}  # fmt: skip
SIZES = ("Rank", "Shape", "ShapeN", "Size")  # they look at how many pixels there are, not at what they are
NUMBERS = ("Fill", "Range", "BroadcastArgs", "ConcatOffset", "InvertPermutation")  # of sizes only
ARITHMETIC = frozenset(
    (
        *CONVOLUTIONS, *POOLINGS, *RESIZINGS, *NORMALISATIONS, *REDUCTIONS, *ALONG_CHANNELS, *PIXEL_BY_PIXEL, *MOVES,
        *SIZES, *NUMBERS,
    )
)  # fmt: skip

VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
PASSED_ON = (
    "CheckNumerics", "DisableCopyOnRead", "EnsureShape", "Identity", "IdentityN", "PlaceholderWithDefault",
    "PreventGradient", "Snapshot", "StopGradient",
)  # fmt: skip
LEFT_OUT = ("Assert", "NoOp")
CALLS = ("PartitionedCall", "StatefulPartitionedCall")
BRANCHES = ("If", "StatelessIf")
STRUCTURE = frozenset(
    (*VARIABLES, *PASSED_ON, *LEFT_OUT, *CALLS, *BRANCHES, "Const", "Merge", "Placeholder", "ReadVariableOp", "Switch")
)

# Outputs by name, as functions of TensorFlow refer to them, where an operation has several of one tensor each.
OUTPUTS = {
    **dict.fromkeys(
        NORMALISATIONS,
        ("y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2", "reserve_space_3"),
    ),
    "Merge": ("output", "value_index"),
    "Switch": ("output_false", "output_true"),
}
