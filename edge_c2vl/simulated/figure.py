"""The driver's parts together, and how they follow the skeleton."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.simulated import anatomy, clothes, mesh
from edge_c2vl.simulated.body import SIDES, Build, Floats, Skeleton
from edge_c2vl.simulated.driver import Appearance
from edge_c2vl.simulated.implicit import BodyModel, Part

# Parts that are put on and taken off, and the part that each hides.
WORN = {"belt": None, "jacket": "shirt", "sunglasses": None}


class Figure:
    """A driver's parts in the rest posture; `posed` puts them where a skeleton says."""

    def __init__(self, build: Build, look: Appearance) -> None:
        model = BodyModel(build, look)
        self.look = look
        self.rest, self.bones = model.rest, model.bones
        parts = _parts(model)
        self.mesh = mesh.join([part.mesh for part in parts])
        self.weights = np.concatenate([part.weights for part in parts])
        self._owner = np.repeat([part.name for part in parts], [len(part.mesh.triangles) for part in parts])
        self._dressed: dict[frozenset[str], tuple[NDArray[np.int32], NDArray[np.bool_]]] = {}
        origin, axes = self.rest.bones["head"]
        self.face_place: Floats = ((self.mesh.points - origin) @ axes).astype(np.float32)  # in the head's axes

    def posed(self, skeleton: Skeleton) -> tuple[Floats, Floats]:
        """Points (N, 3) and normals (N, 3) of the figure's mesh in that posture."""
        moves = np.empty((len(self.bones), 3, 4), np.float32)
        for index, name in enumerate(self.bones):
            origin, axes = skeleton.bones[name]
            rest_origin, rest_axes = self.rest.bones[name]
            turn = axes @ rest_axes.T
            moves[index, :, :3] = turn
            moves[index, :, 3] = origin - turn @ rest_origin
        blended = (self.weights @ moves.reshape(len(moves), 12)).reshape(-1, 3, 4)
        points = np.einsum("nij,nj->ni", blended[..., :3], self.mesh.points) + blended[..., 3]
        normals = np.einsum("nij,nj->ni", blended[..., :3], self.mesh.normals)
        return points, normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)

    def dressed(self, worn: frozenset[str]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Triangles (F, 3) that are there when these of WORN are worn, and which of them (F,) belong to the face."""
        if worn not in self._dressed:
            gone = {name for name in WORN if name not in worn} | {WORN[name] for name in worn & WORN.keys()}
            seen = ~np.isin(self._owner, [name for name in gone if name])
            self._dressed[worn] = self.mesh.triangles[seen], self._owner[seen] == "head"
        return self._dressed[worn]


@lru_cache(maxsize=4)
def make_figure(build: Build, look: Appearance) -> Figure:
    """A driver's figure; the last few are kept, because one takes the better part of a second to make."""
    return Figure(build, look)


def _parts(model: BodyModel) -> list[Part]:
    look = model.look
    shirt = clothes.upper(model, "shirt", look.sleeve, 0.0, look.shirt, look.shirt_gray)
    jacket = clothes.upper(model, "jacket", 1.93, 0.010, look.jacket, look.jacket_gray)
    hands = [anatomy.hand(model, side) for side in SIDES]
    bare = [anatomy.skin(model), anatomy.head(model), *anatomy.hair(model), *hands]
    return [*bare, shirt, jacket, clothes.trousers(model), clothes.belt(model, shirt), clothes.sunglasses(model)]
