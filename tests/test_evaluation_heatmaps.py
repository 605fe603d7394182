"""Heat maps: every view lands in the cell of its own yaw, pitch and light."""

from __future__ import annotations

import numpy as np

from maskdesign.evaluation.grid import EvaluationSettings, evaluation_lights, evaluation_views
from maskdesign.evaluation.heatmaps import grid_shape, heat_map_svg


def test_cells_follow_the_order_of_the_views():
    settings = EvaluationSettings(yaw_deg=(-30.0, 0.0, 30.0), pitch_deg=(-10.0, 10.0))
    views = evaluation_views(settings)
    places = np.arange(len(views)).reshape(grid_shape(settings))
    lights = list(evaluation_lights().values())
    for (light, pitch, yaw), view in np.ndenumerate(places):
        assert views[view].light == lights[light]
        assert views[view].camera.R.shape == (3, 3)
        same_pose = places[0, pitch, yaw]
        np.testing.assert_array_equal(views[view].camera.R, views[same_pose].camera.R)


def test_maps_name_their_textures_and_are_the_same_every_time():
    settings = EvaluationSettings(yaw_deg=(-30.0, 0.0, 30.0), pitch_deg=(-10.0, 10.0))
    margins = {"plain blue": np.linspace(-1, 1, 18), "designed": np.full(18, -0.4)}
    first = heat_map_svg(settings, margins, "net")
    assert first == heat_map_svg(settings, margins, "net")
    assert first.startswith("<svg")
    assert "designed, window" in first
