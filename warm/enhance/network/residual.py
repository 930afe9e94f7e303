"""Residual blocks of the encoder."""

from torch import Tensor, nn

from warm.enhance.network.layers import activate, conv3x3, double, halve


class ResidualBlock(nn.Module):
    """Two convolutions with a change of size between them, plus a resized skip connection."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(inputs, inputs)
        self.conv2 = conv3x3(inputs, outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False)


class DownBlock(ResidualBlock):
    """Halves width and height."""

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) to (b, outputs, h/2, w/2)."""
        branch = activate(self.conv2(halve(activate(self.conv1(x)))))
        return branch.add_(self.skip(halve(x)))


class UpBlock(ResidualBlock):
    """Doubles width and height."""

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) to (b, outputs, 2h, 2w)."""
        branch = activate(self.conv2(double(activate(self.conv1(x)))))
        # The 1x1 convolution commutes with the enlargement; before it, it costs a quarter.
        return branch.add_(double(self.skip(x)))
