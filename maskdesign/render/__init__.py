"""A scene becomes an image: cameras, visibility, textures, light, camera response."""
