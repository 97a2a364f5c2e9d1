"""DICOM files that are written attribute by attribute."""


def write_dicom(path, stored, kind="MONOCHROME2", **said):
    """Pixels (h, w), (n, h, w) or of color (h, w, 3) as a file with what else is ``said``.

    Of 8 bits if they are uint8, otherwise of 12.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import (
        ExplicitVRLittleEndian,
        SecondaryCaptureImageStorage,
        generate_uid,
    )

    is_color = kind == "RGB"
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.SamplesPerPixel, data.PhotometricInterpretation = (3 if is_color else 1), kind
    data.Rows, data.Columns = stored.shape[:2] if is_color else stored.shape[-2:]
    data.PixelRepresentation = int(stored.dtype.kind == "i")
    data.BitsAllocated = 8 * stored.dtype.itemsize
    data.BitsStored = 8 if stored.dtype.itemsize == 1 else 12
    data.HighBit = data.BitsStored - 1
    if is_color:
        data.PlanarConfiguration = 0
    elif stored.ndim == 3:
        data.NumberOfFrames = len(stored)
    data.PixelData = stored.tobytes()
    for name, value in said.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def dicom_item(**said):
    """A sequence of one item, for an attribute."""
    from pydicom.dataset import Dataset

    item = Dataset()
    for name, value in said.items():
        setattr(item, name, value)
    return [item]
