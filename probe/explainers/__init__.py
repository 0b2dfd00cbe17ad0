"""Methods that attribute an output to the features of the input."""

from probe.explainers.against import AgainstBaseline
from probe.explainers.attention import AttentionRollout, GradientAttention
from probe.explainers.conditional import ConditionalShap
from probe.explainers.deep_lift import DeepLift
from probe.explainers.deep_lift_shap import DeepLiftShap
from probe.explainers.expected import ExpectedGradients
from probe.explainers.gradient import InputXGradient, IntegratedGradients, Saliency
from probe.explainers.guided import GuidedBackprop
from probe.explainers.lrp import LRP
from probe.explainers.maps import GradCAM, LayerCAM
from probe.explainers.occlusion import Occlusion
from probe.explainers.owen import OwenShap
from probe.explainers.peers.of_captum import Captum
from probe.explainers.peers.of_lime import LimeImage, LimeTabular, LimeText
from probe.explainers.peers.of_shap import ShapKernel, ShapPartition, ShapTree
from probe.explainers.permutation_shap import PermutationShap
from probe.explainers.rise import Rise
from probe.explainers.score_cam import ScoreCAM
from probe.explainers.shapley import KernelShap
from probe.explainers.smooth import SmoothGrad, VarGrad
from probe.explainers.surrogate import Lime

__all__ = [
    "LRP",
    "AgainstBaseline",
    "AttentionRollout",
    "Captum",
    "ConditionalShap",
    "DeepLift",
    "DeepLiftShap",
    "ExpectedGradients",
    "GradCAM",
    "GradientAttention",
    "GuidedBackprop",
    "InputXGradient",
    "IntegratedGradients",
    "KernelShap",
    "LayerCAM",
    "Lime",
    "LimeImage",
    "LimeTabular",
    "LimeText",
    "Occlusion",
    "OwenShap",
    "PermutationShap",
    "Rise",
    "Saliency",
    "ScoreCAM",
    "ShapKernel",
    "ShapPartition",
    "ShapTree",
    "SmoothGrad",
    "VarGrad",
]
