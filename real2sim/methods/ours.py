"""The two-encoder model at its best."""

from real2sim.method import Row
from real2sim.methods.autoencoders import Plan, two_encoder_model
from real2sim.methods.recognisers import RANDOMISED

PLAN = Plan()

OURS = Row(
    name="two-encoder",
    recogniser=RANDOMISED,
    converter=two_encoder_model("two-encoder", RANDOMISED, PLAN),
    meaning="the recordings are converted by the two-encoder VAE first",
    paper=0.7490,
)

ROWS = (OURS,)
