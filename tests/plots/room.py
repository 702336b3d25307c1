"""Where texts come to lie in a picture that is drawn."""

from itertools import pairwise


def crowded(axes) -> list[str]:
    """Tick labels that touch each other, and texts that leave the figure, after drawing."""
    figure = axes.get_figure(root=True)
    figure.draw_without_rendering()
    page = figure.bbox
    found = []
    for each in figure.axes:
        for axis in (each.xaxis, each.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [
                tick.label1 if tick.label1.get_visible() else tick.label2
                for tick in axis.get_major_ticks()
                if low <= tick.get_loc() <= high
            ]
            boxes = [(label.get_text(), label.get_window_extent()) for label in ticks if label.get_text()]
            for (one, box), (other, after) in pairwise(boxes):
                if box.overlaps(after):
                    found.append(f"{one} touches {other}")
            texts = [*boxes, (axis.label.get_text(), axis.label.get_window_extent())]
            for text, box in texts:
                if text and not (
                    page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1 and page.y0 - 1 <= box.y0 and box.y1 <= page.y1 + 1
                ):
                    found.append(f"{text} leaves the page")
    return found
