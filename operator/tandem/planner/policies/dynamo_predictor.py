"""Dynamo's predictors of an interval's value: the last one, or a Kalman filter of level and trend.

Source: code, ai-dynamo 1.6.1, planner/core/load/predictors.py, with its defaults.
"""

from dataclasses import dataclass

LEVEL_NOISE, TREND_NOISE, VALUE_NOISE = 1.0, 0.1, 10.0  # q_level, q_trend, r
PRIOR = 1000.0  # variance of a level and a trend of which one value was seen
LEAST_POINTS = 5  # before them the last value is the prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One series: its last value, and level and trend with their covariance."""

    points: float = 0.0
    last: float = 0.0
    level: float = 0.0
    trend: float = 0.0
    level_variance: float = PRIOR
    covariance: float = 0.0
    trend_variance: float = PRIOR

    def after(self, value: float) -> "Track":
        """With one more value: predict, then correct by it."""
        if not self.points:
            return Track(points=1.0, last=value, level=value)
        ahead = self.level + self.trend
        level_variance = (
            self.level_variance + 2 * self.covariance + self.trend_variance + LEVEL_NOISE
        )
        covariance = self.covariance + self.trend_variance
        trend_variance = self.trend_variance + TREND_NOISE
        gain = level_variance / (level_variance + VALUE_NOISE)
        trend_gain = covariance / (level_variance + VALUE_NOISE)
        return Track(
            points=self.points + 1,
            last=value,
            level=ahead + gain * (value - ahead),
            trend=self.trend + trend_gain * (value - ahead),
            level_variance=(1 - gain) * level_variance,
            covariance=(1 - gain) * covariance,
            trend_variance=trend_variance - trend_gain * covariance,
        )

    def ahead(self, *, by_kalman: bool) -> float:
        """The next value."""
        if by_kalman and self.points >= LEAST_POINTS:
            return max(0.0, self.level + self.trend)
        return self.last
