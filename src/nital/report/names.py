"""What quantities are called in print, and which belong together."""

from __future__ import annotations

__all__ = ["GROUPS", "group_of", "label_of"]

_SHAPES = {
    "feret_max_median": "Largest Feret diameter",
    "feret_min_median": "Smallest Feret diameter",
    "inscribed_diameter_median": "Largest inscribed circle",
    "circumscribed_diameter_median": "Smallest circumscribed circle",
    "circularity_median": "Circularity 4πA/P²",
    "feret_ratio_median": "Feret ratio, min / max",
    "solidity_median": "Solidity",
    "convexity_median": "Convexity",
    "inscribed_ratio_median": "Inscribed / circumscribed circle",
}
_DIAMETERS = {
    f"ecd_d{percent}{suffix}": f"Diameter d{percent}, by {weighting}"
    for suffix, weighting in (("", "number"), ("_area", "area"), ("_volume", "volume"))
    for percent in (10, 50, 90)
}

# Title of each group, with the names and labels of its quantities in order.
GROUPS: dict[str, dict[str, str]] = {
    "Amount": {
        "object_count": "Objects",
        "objects_per_area": "Objects per area",
        "coverage": "Area covered by objects",
        "phase_fraction": "Area fraction",
        "phase_fraction_points": "Point fraction",
    },
    "Grain size": {
        "astm_g_planimetric": "ASTM G, Saltykov rectangle",
        "astm_g_jeffries": "ASTM G, Jeffries circle",
        "astm_g_intercept": "ASTM G, Heyn lines",
        "astm_g_hilliard": "ASTM G, Hilliard circle",
        "astm_g_abrams": "ASTM G, Abrams three circles",
        "astm_g_difference": "G by area less G by intercepts",
        "iso643_index": "ISO 643 index",
        "grains_per_area": "Grains per area",
        "grain_area_mean": "Mean grain area",
        "lineal_intercept_mean": "Mean lineal intercept",
        "astm_g_largest": "ASTM G of the largest grain",
        "duplex_grain_size": "Duplex (1 = yes)",
        "anisotropy_index": "Anisotropy index",
        "anisotropy_direction": "Direction of the longest intercepts",
    },
    "Layers": {
        "layer_thickness_mean": "Thickness",
        "layer_thickness_sd": "Thickness, standard deviation",
        "layer_tilt": "Tilt",
        "interface_roughness_upper": "Upper interface, roughness",
        "interface_correlation_length_upper": "Upper interface, correlation length",
        "interface_roughness_lower": "Lower interface, roughness",
        "interface_correlation_length_lower": "Lower interface, correlation length",
    },
    "Boundaries and phases": {
        "boundary_length_per_area": "Boundary length per area",
        "surface_per_volume": "Surface per volume",
        "lineal_intercept_mean": "Mean lineal intercept",
        "mean_free_path": "Mean free path",
        "phase_correlation_length": "Correlation length",
        "phase_connectivity": "Share of the largest region",
    },
    "Size": {
        "ecd_mean": "Mean equivalent circle diameter",
        **_DIAMETERS,
        "ecd_geometric_sd": "Geometric standard deviation",
        "object_area_mean": "Mean object area",
    },
    "Size, certain particles alone": {
        "object_count_certain": "Certain particles",
        "ecd_mean_certain": "Mean equivalent circle diameter",
        **{f"{name}_certain": label for name, label in _DIAMETERS.items()},
        "ecd_geometric_sd_certain": "Geometric standard deviation",
        "object_area_mean_certain": "Mean object area",
    },
    "Shape (medians)": _SHAPES,
    "Limits": {
        "ecd_lower_limit": "Lower limit of the diameter",
        "more_objects_for_ecd_mean": "Objects still needed for the mean diameter",
        "more_objects_for_ecd_d50": "Objects still needed for d50 by number",
        "more_objects_for_ecd_d50_volume": "Objects still needed for d50 by volume",
    },
}
_OTHER = "Others"


def label_of(name: str) -> str:
    """Return what a quantity is called; its name for one that is not known."""
    for labels in GROUPS.values():
        if name in labels:
            return labels[name]
    return name


def group_of(name: str) -> str:
    """Return the title of the group of a quantity."""
    for title, labels in GROUPS.items():
        if name in labels:
            return title
    return _OTHER
