"""picture: a bar for each part that has images, a panel for each fold, the counts beside them."""

from cxr.splitting import account, picture
from tests import factories
from tests.splitting import cases
from tests.splitting.cases import SIDES


def test_parts_with_images_have_a_bar_and_their_count():
    manifest = factories.manifest(200)
    manifest.loc[0, "fault"] = "is damaged"
    near = cases.pairs(manifest)
    parts, left_out = cases.split(manifest, folds=2)
    metrics = account.measure(manifest, parts, near, left_out, None, shares=SIDES | {"spare": 0.0},
                              protocol="by_patient", frozen=[])  # fmt: skip
    figure = picture.draw(metrics["folds"])
    figure.draw_without_rendering()  # until then the bars' names stand nowhere
    assert [axis.get_title("left") for axis in figure.axes] == ["fold_0", "fold_1"]
    for axis, fold in zip(figure.axes, metrics["folds"].values(), strict=True):
        shown = [text.get_text() for text in figure.axes[0].get_yticklabels()]
        assert shown == ["train", "val", "test"]  # excluded is no part, spare is empty
        assert [text.get_text() for text in axis.texts] == [str(fold[x]["images"]) for x in shown]
        widths = [bar.get_width() for bar in axis.patches]
        assert abs(sum(widths) - 3) < 1e-9 and len(widths) == 2 * 3  # labels of a part share 1
